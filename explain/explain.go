// Package explain answers "why did my mail go there?": it goes the way of an address
// through the control files, the assignments of users and the .qmail files, and tells
// each step. It delivers nothing, runs nothing but qmail-getpw, and reads only what
// its caller may read; what it could not read, it says.
//
// The decisions are those of the packages send, users, dotqmail and remote, which
// make them for real messages.
//
// # File format
//
// A [Report] as JSON is one object. Fields that do not apply are left out:
//
//	{
//	  "given": "kim-list@virt.test",
//	  "address": "kim-list@virt.test",
//	  "route": {"kind": "virtual", "file": "control/virtualdomains", "entry": "virt.test:joe",
//	    "address": "joe-kim-list@virt.test"},
//	  "user": {"source": "users/cdb", "name": "joe", "uid": 507, "gid": 100, "home": "/home/joe",
//	    "dash": "-", "ext": "kim-list"},
//	  "files": [
//	    {"name": ".qmail-kim-list", "result": "missing"},
//	    {"name": ".qmail-kim-default", "result": "taken", "default": "list"}],
//	  "instructions": [
//	    {"line": 1, "kind": "maildir", "text": "./Maildir/"},
//	    {"line": 2, "kind": "forward", "text": "ann@far.test"}],
//	  "outcome": "local"
//	}
package explain

import (
	"errors"

	"goqmail/internal/fault"
)

// Outcome is what becomes of a message in the end.
type Outcome string

// The outcomes.
const (
	Local   Outcome = "local"   // the instructions are carried out
	Remote  Outcome = "remote"  // it goes to another host
	Bounce  Outcome = "bounce"  // it comes back to its sender, with Text
	Defer   Outcome = "defer"   // it is tried again later, with Text
	Unknown Outcome = "unknown" // something could not be read; see Problems
)

// Report is what there is to say of an address.
type Report struct {
	Given   string `json:"given"`
	Address string `json:"address"` // complete
	// NoHost and Percent say how the one became the other.
	NoHost  bool     `json:"nohost,omitempty"`  // control/envnoathost was added
	Percent []string `json:"percent,omitempty"` // hosts in control/percenthack

	Route Route  `json:"route"`
	Relay *Relay `json:"relay,omitempty"` // of remote mail

	User *User `json:"user,omitempty"` // in charge of local mail
	// Files are the .qmail files in the order in which they were tried.
	Files []File `json:"files,omitempty"`
	// ByDefault is set if the default delivery applies.
	ByDefault    bool          `json:"bydefault,omitempty"`
	Instructions []Instruction `json:"instructions,omitempty"`
	// Sender is the envelope sender of what is forwarded, if it is not that of the
	// message.
	Sender string `json:"sender,omitempty"`

	Outcome  Outcome  `json:"outcome"`
	Text     string   `json:"text,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Route says where a recipient is.
type Route struct {
	Kind    string `json:"kind"` // local, virtual, remote
	File    string `json:"file,omitempty"`
	Entry   string `json:"entry,omitempty"`
	Address string `json:"address,omitempty"` // what it is there, if that differs
}

// Relay says which host remote mail goes to.
type Relay struct {
	Host string `json:"host"`           // whose mail it is
	Via  string `json:"via,omitempty"`  // the host in control/smtproutes; otherwise the mail exchangers count
	Port uint16 `json:"port,omitempty"` // with Via
}

// User is who is in charge of a local address, qmail-users(5).
type User struct {
	Source string `json:"source"` // users/cdb or bin/qmail-getpw
	Name   string `json:"name"`
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Home   string `json:"home"`
	Dash   string `json:"dash"`
	Ext    string `json:"ext"`
}

// File is a .qmail file.
type File struct {
	Name   string `json:"name"`
	Result string `json:"result"` // taken, missing, or why it is not taken
	// Default is the part of the extension that "default" stands for.
	Default string `json:"default,omitempty"`
}

// Instruction is a line that does something.
type Instruction struct {
	Line      int    `json:"line"`
	Kind      string `json:"kind"` // mbox, maildir, program, forward
	Text      string `json:"text"`
	Forbidden bool   `json:"forbidden,omitempty"` // a temporary failure, since only forwards may be
}

// problem notes what could not be read.
func (r *Report) problem(text string) *Report {
	r.Outcome = Unknown
	r.Problems = append(r.Problems, text)
	return r
}

// fails makes an error the outcome.
func (r *Report) fails(err error) *Report {
	r.Outcome, r.Text = Defer, err.Error()
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		r.Text = f.Text
	}
	if fault.IsPermanent(err) {
		r.Outcome = Bounce
	}
	return r
}
