package send

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"goqmail/bounce"
	"goqmail/internal/durable"
	"goqmail/internal/qq"
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
	}
	if again {
		due := s.now().Add(troublePause).Unix()
		s.post(func() { s.ending.push(entry{due: due, n: m.n}) })
	}
}

// tryFinish reports whether it has to be done again; an error is a warning.
func (s *Server) tryFinish(n queue.Number) (again bool, err error) {
	// Todo first: it goes when the others are there.
	for _, kind := range []queue.Kind{queue.Todo, queue.Local, queue.Remote} {
		has, err := s.q.Has(kind, n)
		if err != nil {
			return true, unable("stat", s.q.Name(kind, n))
		}
		if has {
			return false, nil
		}
	}
	has, err := s.q.Has(queue.Info, n)
	if err != nil {
		return true, unable("stat", s.q.Name(queue.Info, n))
	}
	if !has {
		return false, nil
	}
	if err := s.tellSender(n); err != nil {
		return true, err
	}
	s.log.end(n)
	if err := s.q.Remove(queue.Info, n); err != nil {
		return true, unable("unlink", s.q.Name(queue.Info, n))
	}
	s.forgetFiles(n)
	return false, nil
}

func unable(verb, name string) error {
	return errors.New("unable to " + verb + " " + name + "; will try again later")
}

// forgetFiles has the message itself removed. Its number may be used again from
// then on, so that a crash must not bring back its envelope or its info: their
// removal is made durable first. If that fails the file stays, and goes when
// cleanup finds it.
func (s *Server) forgetFiles(n queue.Number) {
	if err := s.q.SyncFolders(n, queue.Info, queue.Todo); err != nil {
		s.log.warning("trouble fsyncing ", s.q.Folder(queue.Info, n), " or ", s.q.Folder(queue.Todo, n), "; ", s.q.Name(queue.Mess, n), " stays")
		return
	}
	s.clean("foop/" + n.String())
}

// clean has qmail-clean do something, and reports whether it did.
func (s *Server) clean(command string) bool {
	switch s.cleaner.remove(command) {
	case nil:
		return true
	case errRefused:
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
	f, err := s.q.FS.Open(s.q.Name(queue.Bounce, n), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := fileSize(f)
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

// fileSize is -1 if it cannot be told.
func fileSize(f durable.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return -1, err
	}
	return st.Size(), nil
}

// tellSender sends the message's bounce, if it has one, and removes it.
func (s *Server) tellSender(n queue.Number) error {
	name := s.q.Name(queue.Bounce, n)
	paragraphs, err := s.q.FS.Open(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.New("unable to open " + name + "; will try again later")
	}
	defer paragraphs.Close()
	sender, _, err := s.q.ReadInfo(n)
	if err != nil {
		return errors.New("trouble opening " + s.q.Name(queue.Info, n) + "; will try again later")
	}
	if to := bounce.ReturnTo(sender); to == bounce.DoubleSender {
		s.log.print("triple bounce: discarding ", name)
	} else if err := s.sendNotice(n, to, paragraphs); err != nil {
		return err
	}
	if err := s.q.Remove(queue.Bounce, n); err != nil {
		return errors.New("unable to unlink " + name)
	}
	return nil
}

// sendNotice queues a bounce, or a double bounce if to is empty.
func (s *Server) sendNotice(n queue.Number, to string, paragraphs durable.File) error {
	s.bounces <- struct{}{}
	defer func() { <-s.bounces }()
	m, err := s.submit.Open()
	if err != nil {
		return errors.New("unable to start qmail-queue, will try later")
	}
	s.writeNotice(m, n, to, paragraphs)
	qp := m.PID()
	if m.Close() != nil {
		return errors.New("trouble injecting bounce message, will try later")
	}
	s.log.bounced(n, qp)
	return nil
}

func (s *Server) writeNotice(m *qq.Message, n queue.Number, to string, paragraphs durable.File) {
	c := s.config.Load()
	envelopeSender, recipient := "", to
	if to == "" {
		envelopeSender, recipient = bounce.DoubleSender, c.DoubleBounceTo
	}
	original, err := s.q.FS.Open(s.q.Name(queue.Mess, n), os.O_RDONLY, 0)
	if err != nil {
		m.Fail()
		return
	}
	defer original.Close()
	notice := bounce.Notice{From: c.BounceFrom, Host: c.BounceHost, To: recipient, Sender: to, Date: s.now()}
	if notice.Write(m, paragraphs, original) != nil {
		m.Fail()
		return
	}
	m.From(envelopeSender)
	m.To(recipient)
}
