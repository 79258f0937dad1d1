package conformance

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Variables that make a program that calls [StandIn] a stand-in for qmail-queue.
const (
	captureFolder = "CONFORMANCE_CAPTURE"
	captureExit   = "CONFORMANCE_EXIT"
)

// StandIn plays qmail-queue, if the environment says that this process is to:
// it keeps the message and the envelope in a folder. The main function of a
// program that judges cases calls it first and exits with the code.
func StandIn() (code int, is bool) {
	folder := os.Getenv(captureFolder)
	if folder == "" {
		return 0, false
	}
	return capture(folder, os.Stdin, os.Stdout), true
}

// capture reads the message from descriptor 0, the envelope from 1. Its exit
// codes are those of qmail-queue(8).
func capture(folder string, in, out io.Reader) int {
	message, err := io.ReadAll(in)
	if err != nil {
		return 54
	}
	envelope, err := io.ReadAll(out)
	if err != nil {
		return 54
	}
	if code, _ := strconv.Atoi(os.Getenv(captureExit)); code != 0 {
		return code
	}
	if !bytes.HasSuffix(envelope, []byte("\x00\x00")) {
		return 91 // the caller gave up on the message
	}
	name := filepath.Join(folder, fmt.Sprintf("%d.%d", time.Now().UnixNano(), os.Getpid()))
	if os.WriteFile(name+".message", message, 0o644) != nil || os.WriteFile(name+".envelope", envelope, 0o644) != nil {
		return 53
	}
	return 0
}

// queued returns what the stand-in was given, sorted.
func (w *world) queued() ([]Queued, error) {
	names, err := filepath.Glob(filepath.Join(w.captured, "*.envelope"))
	if err != nil {
		return nil, err
	}
	var all []Queued
	for _, name := range names {
		envelope, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		message, err := os.ReadFile(strings.TrimSuffix(name, ".envelope") + ".message")
		if err != nil {
			return nil, err
		}
		all = append(all, Queued{w.normal(Bytes(envelope)), w.normal(Bytes(message))})
	}
	slices.SortFunc(all, func(a, b Queued) int {
		return strings.Compare(string(a.Envelope+a.Message), string(b.Envelope+b.Message))
	})
	return all, nil
}
