package send

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"goqmail/queue"
)

// found is a message that was in the queue when qmail-send began.
type found struct {
	n   queue.Number
	due [channels]int64 // the times of its recipient files
	has [channels]bool
	err string // file that could not be looked at
}

// scanBatch is how many messages are handed over at a time.
const scanBatch = 256

// scan reads what is in the queue, while the first of it is delivered already. Which
// files there are it learns from whole folders, so that the system need only be asked
// for the time of each.
func (s *Server) scan() {
	todo := s.list(s.q.Folders(queue.Todo)...)
	for i, folder := range s.q.Folders(queue.Info) {
		if s.isStopping() {
			break
		}
		s.scanFolder(s.numbers(folder), i, todo)
	}
	s.post(s.scanned)
}

// scanFolder hands over the messages of one of the folders in info. They are looked
// at in the order of their numbers, which is about that of their inodes on the disk.
func (s *Server) scanFolder(numbers []queue.Number, folder int, todo *listing) {
	slices.Sort(numbers)
	var there [channels]*listing
	for ch := range channels {
		there[ch] = s.list(s.q.Folders(channel(ch).kind())[folder])
	}
	for numbers := range slices.Chunk(numbers, scanBatch) {
		if s.isStopping() {
			return
		}
		batch := make([]found, 0, len(numbers))
		for _, n := range numbers {
			f, ok := found{}, true
			if todo.has(n) {
				f, ok = s.look(n)
			} else {
				f = s.lookFor(n, [channels]bool{there[local].has(n), there[remote].has(n)})
			}
			if ok {
				batch = append(batch, f)
			}
		}
		s.post(func() { s.take(batch) })
	}
}

// listing is what was in some folders.
type listing struct {
	numbers []queue.Number // in order
	unknown bool           // one could not be read
}

func (s *Server) list(folders ...string) *listing {
	l := &listing{}
	for _, folder := range folders {
		err := s.q.FS.Names(folder, func(name string) bool {
			if n, ok := queue.ParseNumber(name); ok {
				l.numbers = append(l.numbers, n)
			}
			return true
		})
		l.unknown = l.unknown || err != nil
	}
	slices.Sort(l.numbers)
	return l
}

func (l *listing) lists(n queue.Number) bool {
	_, there := slices.BinarySearch(l.numbers, n)
	return there
}

// has reports whether a message may be there.
func (l *listing) has(n queue.Number) bool { return l.unknown || l.lists(n) }

// numbers lists the messages in a folder. It goes on trying until it can, or
// until qmail-send has to end: no message may be left out, and none taken twice.
func (s *Server) numbers(folder string) []queue.Number {
	for {
		var numbers []queue.Number
		err := s.q.FS.Names(folder, func(name string) bool {
			if n, ok := queue.ParseNumber(name); ok {
				numbers = append(numbers, n)
			}
			return true
		})
		if err == nil {
			return numbers
		}
		s.log.alert("unable to opendir ", folder, ", sleeping...")
		select {
		case <-time.After(folderPause):
		case <-s.stopping:
			return nil
		}
	}
}

// look finds out what is to be done about a message. One that is in todo as well
// was being preprocessed when qmail-send last ended, and will be again.
func (s *Server) look(n queue.Number) (f found, ok bool) {
	if has, err := s.q.Has(queue.Todo, n); has || err != nil {
		return found{n: n, err: s.q.Name(queue.Todo, n)}, err != nil
	}
	return s.lookFor(n, [channels]bool{true, true}), true
}

// lookFor looks at those recipient files of a message that may be there.
func (s *Server) lookFor(n queue.Number, may [channels]bool) found {
	f := found{n: n}
	for ch := range channels {
		if !may[ch] {
			continue
		}
		name := s.q.Name(channel(ch).kind(), n)
		st, err := s.q.FS.Stat(name)
		switch {
		case err == nil:
			f.has[ch], f.due[ch] = true, st.ModTime().Unix()
		case !errors.Is(err, fs.ErrNotExist):
			f.err = name
			return f
		}
	}
	return f
}

// take schedules messages that were found. Those that have come in since qmail-send
// began are known already.
func (s *Server) take(batch []found) {
	for _, f := range batch {
		if s.intake.knows(f.n) {
			continue
		}
		s.wait(f)
	}
}

// wait lets a message wait for what its files say is next. One that could not be
// looked at is looked at again.
func (s *Server) wait(f found) {
	if f.err != "" {
		s.log.warning("unable to stat ", f.err, "; will try again later")
		s.unknown.push(entry{due: s.now().Add(troublePause).Unix(), n: f.n})
		return
	}
	now := s.now()
	for ch, l := range s.lanes {
		if f.has[ch] {
			e := entry{due: f.due[ch], n: f.n}
			if s.alarmed && !e.held(now) {
				e.due, e.unsaved = now.Unix(), true
			}
			l.waiting.push(e)
		}
	}
	if !f.has[local] && !f.has[remote] {
		s.ending.push(entry{due: now.Unix(), n: f.n})
	}
}

// scanned ends the time in which messages may be found that came in meanwhile.
func (s *Server) scanned() {
	s.scanning = false
	s.alarmed = false
	s.intake.forgetKnown()
}

// schedule has a message tried that was just preprocessed.
func (s *Server) schedule(n queue.Number, has [channels]bool) {
	now := s.now().Unix()
	for ch, l := range s.lanes {
		if has[ch] {
			l.waiting.push(entry{due: now, n: n})
		}
	}
	if !has[local] && !has[remote] {
		s.endMessage(n)
	}
}

// lookAgain looks at a message that could not be looked at before.
func (s *Server) lookAgain(n queue.Number) {
	m := s.use(n)
	s.do(m, func() {
		f, ok := s.look(n)
		s.post(func() {
			if ok {
				s.take([]found{f})
			}
			s.release(m)
		})
	})
}
