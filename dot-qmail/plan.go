package dotqmail

import (
	"io"

	"goqmail/internal/fault"
	"goqmail/internal/syserr"
)

// Texts of failures, with the status codes of RFC 3463.
var (
	errNoMailbox = fault.Hard("Sorry, no mailbox here by that name. (#5.1.1)")
	errWritable  = fault.Soft("Uh-oh: .qmail file is writable. (#4.7.0)", nil)
	errBlank     = fault.Soft("Uh-oh: first line of .qmail file is blank. (#4.2.1)", nil)
	errNobody    = fault.Soft("Uh-oh: .qmail has a forward line without an address. (#4.2.1)", nil)
	errTooBig    = fault.Soft("Uh-oh: .qmail file is too big. (#4.3.0)", nil)
)

// Plan is what is to be done with a message.
type Plan struct {
	// File is the file that was chosen; its name is empty if there is none.
	File Candidate
	// ByDefault is set if the default instructions apply, because there is no
	// file or an empty one.
	ByDefault    bool
	Instructions []Instruction
}

// Plan finds the instructions for the recipient in the user's home, or takes
// those given as default. Errors are of type [fault.Error] and ready to be told
// to users.
func (r Recipient) Plan(home Folder, byDefault string) (*Plan, error) {
	f, err := r.search(home)
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	var text string
	executable := false
	switch {
	case f != nil:
		p.File = f.Candidate
		executable = f.executable
		if text, err = f.read(); err != nil {
			return nil, err
		}
	case r.Dash != "":
		return nil, errNoMailbox
	}
	if text == "" {
		// The execute bit of an empty file is not the host's.
		text, executable, p.ByDefault = byDefault, false, true
	}
	p.Instructions, err = Parse(text, executable)
	return p, err
}

// read returns the file's bytes and closes it.
func (f *found) read() (string, error) {
	defer f.file.Close()
	text, err := io.ReadAll(io.LimitReader(f.file, MaxSize+1))
	if err != nil {
		return "", fault.Soft("Unable to read "+f.Name+": "+syserr.Text(err)+". (#4.3.0)", err)
	}
	if len(text) > MaxSize {
		return "", errTooBig
	}
	return string(text), nil
}
