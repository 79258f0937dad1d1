package send

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"goqmail/queue"
)

// Clean is the pair of pipes to qmail-clean.
type Clean struct {
	To   io.Writer
	From io.Reader
}

// errRefused is qmail-clean's answer that it could not do as told.
var errRefused = errors.New("qmail-clean refuses")

// errUnknown is the answer of a qmail-clean that does not know a command.
var errUnknown = errors.New("qmail-clean does not know that")

// cleaner asks qmail-clean to remove files. Many may ask at a time.
type cleaner struct {
	mu      sync.Mutex // held while a command is written, so that answers are in order
	to      io.Writer
	pending chan chan<- error // who waits for the next answers
	gone    chan struct{}     // closed when there will be no more answers
	old     atomic.Bool       // it is one that does not know done/N
}

// maxPending is how many commands may be on their way to qmail-clean.
const maxPending = 64

var errCleanGone = errors.New("qmail-clean is gone")

func newCleaner(c Clean, finished <-chan struct{}) *cleaner {
	k := &cleaner{to: c.To, pending: make(chan chan<- error, maxPending), gone: make(chan struct{})}
	go k.readAnswers(c.From, finished)
	return k
}

// readAnswers reads a byte for each command, never more: what is not asked for
// yet is not an answer.
func (k *cleaner) readAnswers(from io.Reader, finished <-chan struct{}) {
	defer close(k.gone)
	var answer [1]byte
	for {
		var done chan<- error
		select {
		case done = <-k.pending:
		case <-finished:
			return
		}
		if _, err := io.ReadFull(from, answer[:]); err != nil {
			return
		}
		switch answer[0] {
		case queue.CleanDone:
			done <- nil
		case queue.CleanUnknown:
			done <- errUnknown
		default:
			done <- errRefused
		}
	}
}

// remove has a command carried out: foop/N, todo/N or done/N. It returns errRefused,
// errUnknown, or errCleanGone if there is no qmail-clean any more.
func (k *cleaner) remove(command string) error {
	done := make(chan error, 1)
	if err := k.send(command, done); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-k.gone:
		return errCleanGone
	}
}

func (k *cleaner) send(command string, done chan<- error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := io.WriteString(k.to, command+"\x00"); err != nil {
		return errCleanGone
	}
	select {
	case k.pending <- done:
		return nil
	case <-k.gone:
		return errCleanGone
	}
}
