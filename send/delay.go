package send

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"goqmail/bounce"
	"goqmail/internal/durable"
	"goqmail/queue"
)

// warned is the permission of info/N that says that nobody need be warned of the
// message's delay any more. It is where no other qmail looks, is copied with the
// queue, changes neither the file's time nor what is in it, and goes with it.
const warned fs.FileMode = 0o100

// maxDelayed is how many recipients a delay warning names.
const maxDelayed = 100

// mayWarn reports whether somebody waits for news about mail from this sender:
// nobody does for bounces, nor for lists that have a sender for each recipient.
func mayWarn(sender string) bool {
	to := bounce.ReturnTo(sender)
	return to != "" && to != bounce.DoubleSender && to == sender
}

// warnOfDelay warns the sender of a message that has been tried for long, once,
// if that is wanted. It comes after a try, so that there are reports to tell of.
func (s *Server) warnOfDelay(j *job) {
	after := s.config.Load().Bounces.Delay
	if after == 0 || s.now().Before(j.birth.Add(after)) || j.left == 0 || !mayWarn(j.sender) {
		return
	}
	m, sender, birth := s.use(j.m.n), j.sender, j.birth
	kind, reports := j.lane.ch.kind(), j.reports
	s.do(m, func() {
		if err := s.warn(m.n, sender, birth, map[queue.Kind]queue.Reports{kind: reports}); err != nil {
			s.log.warning(err.Error())
		}
		s.post(func() { s.release(m) })
	})
}

// warn is the step that does it. The message is marked first: rather no warning
// after a crash than one after each try.
func (s *Server) warn(n queue.Number, sender string, birth time.Time, reports map[queue.Kind]queue.Reports) error {
	name := s.q.Name(queue.Info, n)
	st, err := s.q.FS.Stat(name)
	if err != nil || st.Mode()&warned != 0 {
		return nil // it is gone, or done
	}
	delayed, more := s.delayed(n, birth, reports)
	if len(delayed) == 0 {
		return nil
	}
	bulk, err := s.isBulk(n)
	if err != nil {
		return err
	}
	if err := s.mark(name, st.Mode().Perm()|warned); err != nil {
		return unable("chmod", name)
	}
	if bulk {
		return nil
	}
	c := s.config.Load()
	d := bounce.Delay{
		From: c.Bounces.From, Host: c.Bounces.Host, To: sender, Date: s.now(),
		Arrival: birth, Until: birth.Add(c.Lifetime), Boundary: newBoundary(), More: more,
	}
	qp, err := s.inject(n, "", sender, func(w io.Writer, original durable.File) error {
		return d.Write(w, delayed, original)
	})
	if err != nil {
		s.q.FS.Chmod(name, st.Mode().Perm())
		return err
	}
	s.log.delayed(n, qp)
	return nil
}

// mark sets the permissions of a file, and makes that durable.
func (s *Server) mark(name string, perm fs.FileMode) error {
	if err := s.q.FS.Chmod(name, perm); err != nil {
		return err
	}
	f, err := s.q.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (s *Server) isBulk(n queue.Number) (bool, error) {
	f, err := s.q.FS.Open(s.q.Name(queue.Mess, n), os.O_RDONLY, 0)
	if err != nil {
		return true, nil // it is gone
	}
	defer f.Close()
	bulk, err := bounce.IsBulk(f)
	if err != nil {
		return true, unable("read", s.q.Name(queue.Mess, n))
	}
	return bulk, nil
}

// delayed lists the recipients of a message that are still to do, with the last
// report about each, and counts those that are too many to be named.
func (s *Server) delayed(n queue.Number, birth time.Time, newest map[queue.Kind]queue.Reports) (recipients []bounce.Failure, more int) {
	for ch := range channels {
		kind := channel(ch).kind()
		r, err := s.q.OpenRecipients(kind, n)
		if err != nil {
			continue
		}
		reports := s.q.ReadReports(kind, n)
		for {
			to, err := r.Next()
			if err != nil {
				break
			}
			if to.Done {
				continue
			}
			if len(recipients) == maxDelayed {
				more++
				continue
			}
			text := reports[to.Place]
			if now := newest[kind][to.Place]; now != "" {
				text = now
			}
			recipients = append(recipients, bounce.Failure{
				Recipient: s.eras.original(kind, to.Address, birth),
				Report:    strings.TrimRight(text, "\n"),
			})
		}
		r.Close()
	}
	return recipients, more
}
