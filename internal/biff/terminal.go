package biff

import (
	"errors"
	"syscall"
)

// Why a terminal is left alone.
var (
	errNoTerminal = errors.New("not a terminal")
	errNotOurs    = errors.New("belongs to another user")
	errNotWanted  = errors.New("biff n") // its user does not want to be told
)

// wanted is the permission that biff y sets.
const wanted = 0o100

// Write shows a text on a terminal, if it belongs to that user and is to be
// written to. It never waits: on a terminal that is stopped nothing may appear.
func Write(terminal string, uid int, text string) error {
	fd, err := syscall.Open(terminal, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFCHR:
		return errNoTerminal
	case int(st.Uid) != uid:
		return errNotOurs
	case st.Mode&wanted == 0:
		return errNotWanted
	}
	_, err = syscall.Write(fd, []byte(text))
	return err
}
