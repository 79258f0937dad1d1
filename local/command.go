package local

import (
	"errors"
	"io"
	"os"
	"syscall"

	"goqmail/dot-qmail"
	"goqmail/internal/durable"
	"goqmail/internal/fault"
)

// Command returns the delivery that a program in a .qmail file belongs to, as
// qmail-local has told the program by its environment, qmail-command(8), and on
// descriptor 0. Queue, Out and Warn are left to the caller. An error is a
// [fault.Error].
func Command(host *Host, stdin, stdout, stderr *os.File) (*Delivery, error) {
	for _, name := range []string{"USER", "HOME", "LOCAL", "HOST", "SENDER"} {
		if _, ok := os.LookupEnv(name); !ok {
			return nil, fault.Hard(name + " not set")
		}
	}
	message, err := seekable(stdin)
	if err != nil {
		return nil, fault.Soft("Unable to read message. (#4.3.0)", err)
	}
	home := os.Getenv("HOME")
	return &Delivery{
		Host:    host,
		User:    os.Getenv("USER"),
		Home:    home,
		Files:   durable.NewDir(home),
		To:      dotqmail.Recipient{Local: os.Getenv("LOCAL"), Ext: os.Getenv("EXT"), Host: os.Getenv("HOST")},
		Sender:  os.Getenv("SENDER"),
		Message: message,
		Shell:   NewShell(message, stdout, stderr),
		Env:     os.Environ(),
	}, nil
}

// seekable returns the message in a file that can be read again and again: what
// comes through a pipe is copied to one without a name.
func seekable(message *os.File) (*os.File, error) {
	if _, err := message.Seek(0, io.SeekStart); !errors.Is(err, syscall.ESPIPE) {
		return message, err
	}
	spool, err := os.CreateTemp("", "message")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(spool.Name()); err != nil {
		spool.Close()
		return nil, err
	}
	if _, err := io.Copy(spool, message); err != nil {
		spool.Close()
		return nil, err
	}
	return spool, nil
}

// Carry carries out instructions that come from elsewhere than a .qmail file but
// have its form, with all else as in [Delivery.Deliver]: forwards wait until the rest
// has succeeded, and go out at once, with newSender as their sender. It returns the
// process that queued them, 0 if there were none.
func (d *Delivery) Carry(lines, newSender string) (qp int, err error) {
	if lines == "" {
		return 0, nil
	}
	list, err := dotqmail.Parse(lines, false)
	if err != nil {
		return 0, err
	}
	r := &run{Delivery: d, plan: &dotqmail.Plan{Instructions: list}, newSender: newSender, buf: make([]byte, bufferSize)}
	r.added = addLines(d.To, d.Sender, d.Host.Now())
	r.env = d.Env
	if err := r.checkLoop(); err != nil {
		return 0, err
	}
	if err := r.each(r.obey); err != nil {
		return 0, err
	}
	err = r.forward()
	return r.qp, err
}
