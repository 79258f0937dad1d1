package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// places is how many remote deliveries both qmails may do at a time, if nothing else is
// asked for. The spawners of notqmail take no more than 120, which is what was chosen
// when they were built.
const places = 1000

// qmailControl are the settings of both qmails. The local limit, which is one by the
// number of processors, is reached by neither.
func (h *host) qmailControl() error {
	var errs []error
	for name, text := range map[string]string{
		"me":                    "here.test",
		"locals":                "here.test\nmx.here.test",
		"rcpthosts":             "here.test",
		"smtproutes":            ".dead.test:127.0.0.1:" + deadPort + "\n:127.0.0.1:" + sinkPort,
		"concurrencylocal":      "20",
		"concurrencyremote":     strconv.Itoa(cmp.Or(h.Places, places)),
		"concurrencyincoming":   "200",
		"concurrencyperaddress": "200",
		"timeoutconnect":        "30",
		"timeoutremote":         "300",
	} {
		errs = append(errs, write("/var/qmail/control/"+name, text+"\n"))
	}
	return errors.Join(errs...)
}

// install makes /var/qmail as on any host, with the programs of this build.
func (h *host) install() error {
	if err := h.run("/mnt/bin/qmail-install", "-home", "/var/qmail", "-bin", "/mnt/bin", "-prefix", "/mnt/prefix", "-mailer=false", "-name", "here.test"); err != nil {
		return err
	}
	return h.qmailControl()
}

func startOurs(h *host) error {
	if err := h.install(); err != nil {
		return err
	}
	return h.begin()
}

// begin starts our system once it is installed.
func (h *host) begin() error {
	if err := h.command("/var/qmail/bin/qmail-start", "./Maildir/").Start(); err != nil {
		return err
	}
	smtpd := h.as("qmaild", "/var/qmail/bin/qmail-smtpd", "-listen", server)
	smtpd.Env = append(smtpd.Env, "RELAYCLIENT=")
	if err := smtpd.Start(); err != nil {
		return err
	}
	return h.ready()
}

// startNotqmail puts the programs of notqmail in the place of ours, and runs its
// qmail-smtpd under tcpserver.
func startNotqmail(h *host) error {
	if err := h.install(); err != nil {
		return err
	}
	programs, err := filepath.Glob("/var/qmail/bin/*")
	if err != nil {
		return err
	}
	for _, program := range programs {
		if err := os.Remove(program); err != nil {
			return err
		}
	}
	if programs, err = filepath.Glob("/mnt/peers/notqmail/bin/*"); err != nil {
		return err
	}
	for _, program := range programs {
		if err := place(program); err != nil {
			return err
		}
	}
	if err := h.command("/var/qmail/bin/qmail-start", "./Maildir/").Start(); err != nil {
		return err
	}
	tcpserver, err := exec.LookPath("tcpserver")
	if err != nil {
		return err
	}
	smtpd := h.command(tcpserver, "-H", "-R", "-l0", "-c200", "-b200", "-u8602", "-g8651", "127.0.0.1", "2525", "/var/qmail/bin/qmail-smtpd")
	smtpd.Env = append(smtpd.Env, "RELAYCLIENT=")
	if err := smtpd.Start(); err != nil {
		return err
	}
	return h.ready()
}

// place copies a program into bin.
func place(program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	to := filepath.Join("/var/qmail/bin", filepath.Base(program))
	if err := os.WriteFile(to, data, 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o755)
	if filepath.Base(program) == "qmail-queue" {
		if err := os.Chown(to, 8605, 8652); err != nil {
			return err
		}
		mode = 0o711 | fs.ModeSetuid
	}
	return os.Chmod(to, mode)
}
