package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// system is a mail system that can be measured.
type system struct {
	name     string
	program  string // file that is there if the system is
	start    func(h *host) error
	sendmail string
	qmail    bool     // it knows qmail's VERP
	without  []string // works that it is not given
}

// systems, ours first. OpenSMTPD relays 16 messages a second, whatever is configured.
var systems = []system{
	{name: "goqmail", start: startOurs, sendmail: "/var/qmail/bin/sendmail", qmail: true},
	{name: "notqmail", program: "bin/qmail-send", start: startNotqmail, sendmail: "/var/qmail/bin/sendmail", qmail: true},
	{name: "postfix", program: "usr/lib/postfix/sbin/master", start: startPostfix, sendmail: "/usr/sbin/sendmail"},
	{name: "exim", program: "usr/sbin/exim4", start: startExim, sendmail: "/usr/sbin/exim4"},
	{name: "opensmtpd", program: "usr/sbin/smtpd", start: startOpensmtpd, sendmail: "/usr/sbin/sendmail", without: []string{"relay"}},
}

// packages are the folders that peers are unpacked in, if not named like the system.
var packages = map[string]string{"exim": "exim4-daemon-light"}

func systemOf(name string) system {
	for _, s := range systems {
		if s.name == name {
			return s
		}
	}
	return system{}
}

// peerFolder is where a peer is unpacked, "/" if it is installed, and "" if it is
// neither, or ours.
func peerFolder(peers, name string) string {
	s := systemOf(name)
	if s.program == "" {
		return ""
	}
	folder := name
	if other, ok := packages[name]; ok {
		folder = other
	}
	for _, root := range []string{filepath.Join(peers, folder), "/"} {
		if _, err := os.Stat(filepath.Join(root, s.program)); err == nil {
			return root
		}
	}
	return ""
}

// missing says why a system cannot be measured, or nothing.
func missing(peers, name string) string {
	switch s := systemOf(name); {
	case s.start == nil:
		return "there is no such system"
	case s.program != "" && peerFolder(peers, name) == "":
		return "neither installed nor unpacked"
	case name == "notqmail":
		if _, err := exec.LookPath("tcpserver"); err != nil {
			return "tcpserver is not installed"
		}
	}
	return ""
}
