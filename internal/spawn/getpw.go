package spawn

import (
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fault"
	"goqmail/internal/ids"
)

// Getpw runs qmail-getpw.
type Getpw struct {
	Path       string
	Dir        string                              // see [Local]
	Env        []string                            // of the program
	Credential func() (*syscall.Credential, error) // of whom it runs as; nil: the caller
	Limit      time.Duration                       // for it to answer
}

// maxGetpw bounds the output of qmail-getpw.
const maxGetpw = 64 << 10

// Run returns the program's output for the local part of an address, or a
// [fault.Error] with the text for qmail-lspawn's report.
func (g Getpw) Run(local string) ([]byte, error) {
	child := Child{Path: g.Path, Args: []string{"bin/qmail-getpw", local}, Dir: g.Dir, Env: g.Env, Limit: g.Limit}
	var err error
	if g.Credential != nil {
		if child.Credential, err = g.Credential(); err != nil {
			return nil, getpwFault(exitcode.StartExecGetpw, err)
		}
	}
	out, status, err := child.Output(maxGetpw)
	if err != nil {
		return nil, getpwFault(exitcode.StartExecGetpw, err)
	}
	if !status.Exited() {
		return nil, getpwFault(exitcode.StartSystem, nil)
	}
	switch code := status.ExitStatus(); code {
	case exitcode.OK:
		return out, nil
	case exitcode.Hard:
		return nil, fault.Hard("Sorry, qmail-getpw refuses this address. (#5.1.1)")
	default:
		return nil, getpwFault(code, nil)
	}
}

// getpwFault is the fault for an exit code; those that nobody knows are trouble of
// the system.
func getpwFault(code int, cause error) error {
	text, ok := exitcode.Start(code)
	if !ok {
		text, _ = exitcode.Start(exitcode.StartSystem)
	}
	return fault.Soft(text, cause)
}

// GetpwUser is the credential that qmail-getpw has under root: the user qmailp, who
// owns nothing, and the group nofiles.
func GetpwUser(accounts ids.Files) (*syscall.Credential, error) {
	uid, err := accounts.UID("qmailp")
	if err != nil {
		return nil, err
	}
	gid, err := accounts.GID("nofiles")
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}}, nil
}
