package send

import (
	"errors"
	"os"
	"strings"
	"time"

	"goqmail/bounce"
	"goqmail/internal/durable"
	"goqmail/queue"
)

// endMessage ends a message if it has no recipients left, in a step of its own.
func (s *Server) endMessage(n queue.Number) {
	m := s.use(n)
	s.do(m, func() {
		s.finish(m)
		s.post(func() { s.release(m) })
	})
}

// finish is the step that ends a message: it does nothing if the message has
// recipients on a channel, is not preprocessed or is gone. What goes wrong is
// tried again later.
func (s *Server) finish(m *message) {
	again, err := s.tryFinish(m.n)
	if err != nil {
		s.log.warning(err.Error())
		again = s.now().Add(troublePause)
	}
	if !again.IsZero() {
		s.post(func() { s.ending.push(entry{due: unixAfter(again), n: m.n}) })
	}
}

// tryFinish returns when it has to be done again, if that is so; an error is a
// warning.
func (s *Server) tryFinish(n queue.Number) (again time.Time, err error) {
	// Todo first: it goes when the others are there.
	for _, kind := range []queue.Kind{queue.Todo, queue.Local, queue.Remote} {
		has, err := s.q.Has(kind, n)
		if err != nil {
			return again, unable("stat", s.q.Name(kind, n))
		}
		if has {
			return again, nil
		}
	}
	has, err := s.q.Has(queue.Info, n)
	if err != nil {
		return again, unable("stat", s.q.Name(queue.Info, n))
	}
	if !has {
		return again, nil
	}
	if again = s.mustWait(n); !again.IsZero() {
		return again, nil
	}
	if _, err := s.tellSender(n); err != nil {
		return again, err
	}
	s.log.end(n)
	if err := s.q.Remove(queue.Info, n); err != nil {
		return again, unable("unlink", s.q.Name(queue.Info, n))
	}
	s.early.forget(n)
	s.forgetFiles(n)
	return again, nil
}

// mustWait returns when the sender may be told of the last failures, if not now:
// there have been others a short time ago.
func (s *Server) mustWait(n queue.Number) time.Time {
	until := s.early.quietUntil(n, s.now(), s.config.Load().Bounces.Interval)
	if until.IsZero() {
		return until
	}
	if has, err := s.q.Has(queue.Bounce, n); !has && err == nil {
		return time.Time{}
	}
	return until
}

func unable(verb, name string) error {
	return errors.New("unable to " + verb + " " + name + "; will try again later")
}

// forgetFiles has the message itself removed. Its number may be used again from
// then on, so that a crash must not bring back its envelope or its info: their
// removal is made durable first. If that fails the file stays, and goes when
// cleanup finds it.
func (s *Server) forgetFiles(n queue.Number) {
	if s.intake.haste.now(s.now()) {
		if !s.syncedOrStays(n, queue.Info) {
			return
		}
		if _, known := s.cleanDone(n); known {
			return
		}
	}
	if s.syncedOrStays(n, queue.Info, queue.Todo) {
		s.clean("foop/" + n.String())
	}
}

// syncedOrStays makes the removal of a message's files durable, or tells that the message
// stays.
func (s *Server) syncedOrStays(n queue.Number, kinds ...queue.Kind) bool {
	if s.q.SyncFolders(n, kinds...) == nil {
		return true
	}
	var folders []string
	for _, kind := range kinds {
		folders = append(folders, s.q.Folder(kind, n))
	}
	s.log.warning("trouble fsyncing ", strings.Join(folders, " or "), "; ", s.q.Name(queue.Mess, n), " stays")
	return false
}

// clean has qmail-clean do something, and reports whether it did.
func (s *Server) clean(command string) bool {
	return s.cleaned(command, s.cleaner.remove(command))
}

// cleaned tells of the answer to a command, and whether it was carried out.
func (s *Server) cleaned(command string, err error) bool {
	switch err {
	case nil:
		return true
	case errRefused, errUnknown:
		s.log.warning("qmail-clean unable to clean up ", command)
	default:
		s.post(s.cleanDied)
	}
	return false
}

// addToBounce adds a paragraph to what the sender will be told. It survives a
// crash. A full disk is waited for, unless qmail-send has to end: then it returns
// false, and the recipient is still to do.
func (s *Server) addToBounce(n queue.Number, paragraph string) bool {
	for {
		err := s.appendBounce(n, paragraph)
		if err == nil {
			return true
		}
		s.log.alert("unable to append to bounce message; HELP! sleeping...")
		select {
		case <-time.After(bouncePause):
		case <-s.stopping:
			return false
		}
	}
}

func (s *Server) appendBounce(n queue.Number, paragraph string) error {
	f, err := s.q.FS.Open(s.q.Name(queue.Bounce, n), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := trimBounce(f)
	if err == nil {
		_, err = f.Write([]byte(paragraph))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil && size >= 0 {
		f.Truncate(size) // half a paragraph would be read as another recipient
	}
	if err := errors.Join(err, f.Close()); err != nil || size > 0 {
		return err
	}
	return s.q.SyncFolders(n, queue.Bounce)
}

// trimBounce cuts off part of a paragraph that a crash has left at the end of a file in
// bounce, and returns the file's size; -1 if it cannot be told.
func trimBounce(f durable.File) (size int64, err error) {
	st, err := f.Stat()
	if err != nil {
		return -1, err
	}
	whole, err := bounce.Whole(f, st.Size())
	if err == nil && whole < st.Size() {
		err = f.Truncate(whole)
	}
	if err != nil {
		return -1, err
	}
	return whole, nil
}
