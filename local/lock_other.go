//go:build !linux

package local

import "syscall"

const setLock = syscall.F_SETLK
