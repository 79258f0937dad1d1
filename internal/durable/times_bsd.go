//go:build freebsd || netbsd || darwin

package durable

import (
	"syscall"
	"time"
)

func modified(st *syscall.Stat_t) time.Time { return time.Unix(st.Mtimespec.Unix()) }
func accessed(st *syscall.Stat_t) time.Time { return time.Unix(st.Atimespec.Unix()) }
