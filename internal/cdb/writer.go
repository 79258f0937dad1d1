package cdb

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Writer makes a constant database. Records go out as they come; 8 bytes for
// each are kept until the end.
type Writer struct {
	file    io.WriterAt
	out     *bufio.Writer
	pos     int64
	entries [tables][]entry
}

// entry is a slot that is not empty.
type entry struct{ hash, pos uint32 }

// NewWriter returns a writer to a file that is empty so far.
func NewWriter(file io.WriterAt) *Writer {
	return &Writer{
		file: file,
		out:  bufio.NewWriter(io.NewOffsetWriter(file, headerSize)),
		pos:  headerSize,
	}
}

// Add adds a record. A key may be added several times; readers find the first.
func (w *Writer) Add(key, value []byte) error {
	size := pairSize + int64(len(key)) + int64(len(value))
	if w.pos+size > maxSize {
		return fmt.Errorf("add a record: %w", ErrFull)
	}
	h := Hash(key)
	w.entries[h%tables] = append(w.entries[h%tables], entry{h, uint32(w.pos)})
	w.pos += size
	w.pair(uint32(len(key)), uint32(len(value)))
	w.out.Write(key)
	_, err := w.out.Write(value) // a bufio.Writer repeats the first error
	return err
}

// Finish writes the tables, and the pointers to them last of all. The file is
// not synced.
func (w *Writer) Finish() error {
	var header [headerSize]byte
	for i, entries := range w.entries {
		size := int64(len(entries)) * slotsPerKey * pairSize
		if w.pos+size > maxSize {
			return fmt.Errorf("write table %d: %w", i, ErrFull)
		}
		binary.LittleEndian.PutUint32(header[i*pairSize:], uint32(w.pos))
		binary.LittleEndian.PutUint32(header[i*pairSize+4:], uint32(len(entries)*slotsPerKey))
		for _, slot := range table(entries) {
			w.pair(slot.hash, slot.pos)
		}
		w.pos += size
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	_, err := w.file.WriteAt(header[:], 0)
	return err
}

// table lays out the slots for entries, in their order, so that of equal keys
// the first comes first in a search.
func table(entries []entry) []entry {
	slots := make([]entry, len(entries)*slotsPerKey)
	for _, e := range entries {
		i := int(e.hash/tables) % len(slots)
		for slots[i].pos != 0 {
			if i++; i == len(slots) {
				i = 0
			}
		}
		slots[i] = e
	}
	return slots
}

func (w *Writer) pair(a, b uint32) {
	var buf [pairSize]byte
	binary.LittleEndian.PutUint32(buf[:], a)
	binary.LittleEndian.PutUint32(buf[4:], b)
	w.out.Write(buf[:])
}
