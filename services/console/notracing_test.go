//go:build !race

package console_test

const racing = false
