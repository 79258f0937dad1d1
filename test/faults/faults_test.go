//go:build linux && amd64

// Package faults has each system call of each program fail, one after the other, or
// kills the program there, and looks whether mail is lost, doubled without need, or
// returned for a trouble that passes, and whether somebody is told.
//
// It runs on hosts of its own, in name spaces, and with a tracer of its own, by
// ptrace(2). Both need root.
package faults

import (
	"os"
	"testing"

	"goqmail/internal/testbin"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(traced); ok {
		os.Exit(trace(text, os.Args[1:]))
	}
	if _, ok := os.LookupEnv(worker); ok {
		os.Exit(work(os.Stdin, os.Stdout))
	}
	code := m.Run()
	crew.dismiss()
	testbin.Remove()
	os.Exit(code)
}
