package syserr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestText(t *testing.T) {
	_, missing := os.Open(t.TempDir() + "/none")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, "no error"},
		{"missing file", missing, "file does not exist"},
		{"wrapped", fmt.Errorf("open x: %w", syscall.EACCES), "access denied"},
		{"in a path error", &fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EEXIST}, "file already exists"},
		{"full disk", syscall.ENOSPC, "out of disk space"},
		{"refused", syscall.ECONNREFUSED, "connection refused"},
		{"deadline", os.ErrDeadlineExceeded, "timed out"},
		{"not of the system", io.ErrShortWrite, "unknown error"},
		{"without a name", syscall.Errno(9999), "unknown error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.err); got != tt.want {
				t.Errorf("Text(%v) = %q, want %q", tt.err, got, tt.want)
			}
		})
	}
}

func TestTemporary(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EIO, syscall.EMFILE, fmt.Errorf("x: %w", syscall.EDQUOT)} {
		if !Temporary(err) {
			t.Errorf("%v is not temporary", err)
		}
	}
	for _, err := range []error{nil, fs.ErrNotExist, syscall.ENOENT, syscall.EACCES, syscall.ENOTDIR, errors.New("x")} {
		if Temporary(err) {
			t.Errorf("%v is temporary", err)
		}
	}
}
