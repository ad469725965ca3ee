// Package law holds what laws say as data: which countries are adequate and
// when, and how long answers may take.
package law
