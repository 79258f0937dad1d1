package receive

import (
	"io"

	"goqmail/internal/qq"
)

// Message is a message on its way into the queue; [qq.Message] says how it is used.
type Message interface {
	io.Writer
	io.StringWriter
	From(sender string)
	To(recipient string)
	Fail()
	Close() error
	PID() int
}

// Queue begins a message with the program that a session's environment asks for.
// It fails only if the host is out of resources.
type Queue func(env Env) (Message, error)

// QueueIn is the queue of a home, or what $QMAILQUEUE names instead.
func QueueIn(home string) Queue {
	conns := &qq.Conns{}
	return func(env Env) (Message, error) {
		program, set := env.Lookup("QMAILQUEUE")
		if set && program == "" {
			program = "." // Compat: set is set, and nothing of that name can be run
		}
		m, err := qq.Queue{Home: home, Program: program, Env: env.List(), Conns: conns}.Open()
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// Limited is a message that fails when it gets more than some number of bytes.
type Limited struct {
	Message
	Max  int64 // 0 for no limit
	Size int64 // what came, not counting what Head wrote
	Over bool  // it was too much
}

// Head writes what does not count.
func (l *Limited) Head(s string) { l.Message.WriteString(s) }

// Write implements [io.Writer]. What is too much is dropped.
func (l *Limited) Write(p []byte) (int, error) {
	l.Size += int64(len(p))
	if l.Max > 0 && l.Size > l.Max && !l.Over {
		l.Over = true
		l.Fail()
	}
	if l.Over {
		return len(p), nil
	}
	return l.Message.Write(p)
}
