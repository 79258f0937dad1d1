// Package tcpto keeps the table of addresses that did not answer, the file
// queue/lock/tcpto: qmail-remote writes it, qmail-tcpto(8) prints it and
// qmail-tcpok(8) clears it.
//
// # File format
//
// The first 1024 bytes are 64 records of 16 bytes, one for each IPv4 address.
// Every qmail reads and writes these, and nothing after them:
//
//	0-3    the address, as in a packet
//	4      timeouts in a row, at most 10; 0 if the record is free
//	8-11   when the last one was, seconds since 1970, lowest byte first
//
// For instance 192.0.2.1 with 2 timeouts, the last at second 1000000000:
//
//	c0 00 02 01  02 00 00 00  00 ca 9a 3b  00 00 00 00
//
// After them come up to 1024 records of 32 bytes, for IPv6 addresses and for IPv4
// addresses that found no room; an IPv4 address is mapped (::ffff:192.0.2.1):
//
//	0-15   the address
//	16     timeouts in a row, as above
//	20-23  when the last one was, as above
//
// All other bytes are zero. The file may end early, and a piece of a record at
// its end does not count. Whatever the bytes, they are a table; what cannot be is
// an address that was never tried. A missing file is an empty table to which
// nothing can be added: the folder belongs to the queue.
//
// Whoever changes the file holds flock(2) on it. Nothing is synced: the table may
// be lost.
package tcpto

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Entry is an address that timed out.
type Entry struct {
	Addr  netip.Addr
	Count int       // timeouts in a row, 1 to 10 if this host wrote it
	Last  time.Time // of the last one, in whole seconds
}

// Blocks reports whether the address is not worth trying at the time now: after
// two timeouts none is for about an hour. Jitter, 0 to 31, spreads the end of it
// over half an hour, so that not all messages for a host try it at once.
func (e Entry) Blocks(now time.Time, jitter int) bool {
	if e.Count < 2 {
		return false
	}
	ago := now.Sub(e.Last)
	return ago >= 0 && ago < time.Duration(60+jitter&31)*64*time.Second
}

// File is a table by its path. Its errors are those of package os; one of the
// lock is an *fs.PathError too, with "lock" for its operation.
type File struct{ Path string }

// Entries returns what is in the table, in its order. A missing file is an error
// here, wrapping fs.ErrNotExist.
func (f File) Entries() ([]Entry, error) {
	file, t, err := f.load(os.O_RDONLY, syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	file.Close()
	var all []Entry
	for _, s := range t.slots() {
		if e := t.entry(s); e.Count > 0 {
			all = append(all, e)
		}
	}
	return all, nil
}

// Lookup returns the entry of an address; ok is false if it has none or there is
// no file.
func (f File) Lookup(addr netip.Addr) (e Entry, ok bool, err error) {
	file, t, err := f.load(os.O_RDONLY, syscall.LOCK_SH)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, err
	}
	file.Close()
	if s, found := t.find(addr); found {
		e = t.entry(s)
	}
	return e, e.Count > 0, nil
}

// repeatAfter is how far apart two timeouts are that count as two: those of
// deliveries under way at the same time say nothing new.
const repeatAfter = 120 * time.Second

// mostCount is where counting stops.
const mostCount = 10

// TimedOut adds a timeout of an address at the time now.
func (f File) TimedOut(addr netip.Addr, now time.Time) error {
	return f.change(func(t *table) (slot, bool) {
		s, found := t.find(addr)
		if !found {
			s = t.room(addr)
		}
		e := Entry{Addr: addr.Unmap(), Count: 1, Last: now}
		if found {
			old := t.entry(s)
			if old.Count > 0 && now.Before(old.Last.Add(repeatAfter)) {
				return s, false
			}
			e.Count = min(old.Count+1, mostCount)
		}
		t.set(s, e)
		return s, true
	})
}

// Answered forgets the timeouts of an address.
func (f File) Answered(addr netip.Addr) error {
	return f.change(func(t *table) (slot, bool) {
		s, found := t.find(addr)
		if !found {
			return s, false
		}
		e := t.entry(s)
		if e.Count == 0 {
			return s, false
		}
		e.Count = 0
		t.set(s, e)
		return s, true
	})
}

// Clear empties the table and cuts the file to the size that every qmail knows.
func (f File) Clear() error {
	file, err := lock(f.Path, os.O_WRONLY, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, oldSize), 0)
	if err == nil {
		err = file.Truncate(oldSize)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

// change lets edit change one record, and writes that if edit says so.
func (f File) change(edit func(*table) (slot, bool)) error {
	file, t, err := f.load(os.O_RDWR, syscall.LOCK_EX)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if s, changed := edit(t); changed {
		err = store(file, t, s)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

// store writes one record. A piece of a record at the end goes first, lest it
// become a whole one when the file grows past it.
func store(file *os.File, t *table, s slot) error {
	if s.offset > t.whole {
		if err := file.Truncate(int64(t.whole)); err != nil {
			return err
		}
	}
	_, err := file.WriteAt(t.bytes(s), int64(s.offset))
	return err
}

// load opens, locks and reads the file.
func (f File) load(flag, how int) (*os.File, *table, error) {
	file, err := lock(f.Path, flag, how)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, mostSize))
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, parse(data), nil
}

// lock opens a file and waits for the lock on it, which closing it gives back.
func lock(path string, flag, how int) (*os.File, error) {
	file, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
		}
	}
}
