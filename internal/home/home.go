// Package home knows where the system's home is: the folder with bin, control,
// queue, users and alias.
package home

import "os"

// Built is the home that the programs were built for. The Makefile sets it
// (make QMAIL=/other/home) through the linker.
var Built = "/var/qmail"

// Dir is the home. A program that holds no privilege its caller lacks obeys
// $QMAILHOME; one that is set-uid or set-gid never does. (Those that qmail-start
// starts as root do not see it: qmail-start drops it from the environment.)
func Dir() string {
	if dir := os.Getenv("QMAILHOME"); dir != "" && !Privileged() {
		return dir
	}
	return Built
}

// Privileged reports whether the process has rights that its caller lacks.
func Privileged() bool {
	return os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid()
}
