// Package services wires the parts into processes: one configuration, a list
// of targets, and an App that is made, run and stopped. It is the only place
// where the services and their drivers meet.
package services
