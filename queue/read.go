package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"goqmail/internal/durable"
)

// MaxRecord bounds a record of todo, info, local and remote: an address of
// MaxAddress bytes before which a virtual domain put its user.
const MaxRecord = 64 << 10

// ErrUnknownRecord is what a file with a record of no known kind gives.
var ErrUnknownRecord = errors.New("unknown record type")

// records reads records one by one and knows where each began.
type records struct {
	in   *bufio.Reader
	next int64 // where the next record begins
}

// read returns the letter and value of a record and its place. It returns io.EOF
// at the end, and for a last record without its NUL.
func (r *records) read() (letter byte, value string, place int64, err error) {
	var record []byte
	for {
		part, err := r.in.ReadSlice(0)
		record = append(record, part...)
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return 0, "", 0, err
		}
		if len(record) > MaxRecord {
			return 0, "", 0, fmt.Errorf("record of more than %d bytes: %w", MaxRecord, ErrUnknownRecord)
		}
	}
	place = r.next
	r.next += int64(len(record))
	if len(record) == 1 {
		return 0, "", place, nil
	}
	return record[0], string(record[1 : len(record)-1]), place, nil
}

// ReadInfo returns a preprocessed message's envelope sender and when it was born.
func (q *Queue) ReadInfo(n Number) (sender string, birth time.Time, err error) {
	f, err := q.FS.Open(q.Name(Info, n), os.O_RDONLY, 0)
	if err != nil {
		return "", time.Time{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", time.Time{}, err
	}
	r := records{in: bufio.NewReaderSize(f, 1<<10)}
	letter, sender, _, err := r.read()
	if err == nil && letter != 'F' {
		err = ErrUnknownRecord
	}
	return sender, st.ModTime(), err
}

// Envelope is what qmail-queue wrote into todo, but for the recipients.
type Envelope struct {
	UID, PID uint64
	Sender   string
}

// ReadTodo reads an envelope from a file in todo. It calls sender at the sender's
// record, and recipient for each recipient, in order; their errors end it.
func ReadTodo(f io.Reader, sender func(Envelope) error, recipient func(string) error) error {
	var e Envelope
	r := records{in: bufio.NewReader(f)}
	for {
		letter, value, _, err := r.read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch letter {
		case 'u':
			e.UID = leadingNumber(value)
		case 'p':
			e.PID = leadingNumber(value)
		case 'F':
			e.Sender = value
			err = sender(e)
		case 'T':
			err = recipient(value)
		default:
			err = ErrUnknownRecord
		}
		if err != nil {
			return err
		}
	}
}

// leadingNumber reads the digits that s begins with.
func leadingNumber(s string) uint64 {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, _ := strconv.ParseUint(s[:digits], 10, 64)
	return n
}

// Recipient is one record of local or remote.
type Recipient struct {
	Address string
	Done    bool
	Place   int64 // for MarkDone
}

// Recipients reads the recipients of a message on one channel.
type Recipients struct {
	f       durable.File
	records records
	// AnyRecord lets Next pass over records of unknown kinds.
	AnyRecord bool
}

// OpenRecipients opens a message's file of kind [Local] or [Remote].
func (q *Queue) OpenRecipients(kind Kind, n Number) (*Recipients, error) {
	f, err := q.FS.Open(q.Name(kind, n), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return &Recipients{f: f, records: records{in: bufio.NewReader(f)}}, nil
}

// Next returns the next recipient, io.EOF after the last, or [ErrUnknownRecord].
func (r *Recipients) Next() (Recipient, error) {
	for {
		letter, address, place, err := r.records.read()
		switch {
		case err != nil:
			return Recipient{}, err
		case letter == 'T', letter == 'D':
			return Recipient{Address: address, Done: letter == 'D', Place: place}, nil
		case !r.AnyRecord:
			return Recipient{}, ErrUnknownRecord
		}
	}
}

// Close closes the file.
func (r *Recipients) Close() error { return r.f.Close() }

// MarkDone overwrites the T of the recipients at those places by a D each. It is not
// synced: after a crash they may be tried once more.
func (q *Queue) MarkDone(kind Kind, n Number, places ...int64) error {
	f, err := q.FS.Open(q.Name(kind, n), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, place := range places {
		if _, werr := f.WriteAt([]byte{'D'}, place); err == nil {
			err = werr
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
