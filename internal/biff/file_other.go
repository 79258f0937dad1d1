//go:build !linux

package biff

// Utmp is empty: the file has another form.
const Utmp = ""
