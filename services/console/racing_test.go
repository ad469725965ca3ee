//go:build race

package console_test

// racing: the race detector is on, which empties pools at random and so allocates
// more than the program does.
const racing = true
