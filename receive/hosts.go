package receive

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"goqmail/control"
	"goqmail/internal/address"
	"goqmail/internal/cdb"
)

// Hosts are the hosts that mail is taken for from strangers: those in
// control/rcpthosts and in control/morercpthosts.cdb. An entry that begins with
// a dot stands for all hosts below it.
type Hosts struct {
	given bool
	list  control.Map
	more  *cdb.Reader // nil if there is no such file
	file  io.Closer
}

// ReadHosts reads the files in a folder of control files. The cdb stays open
// until Close.
func ReadHosts(folder string) (*Hosts, error) {
	files, err := control.Open(folder)
	if err != nil {
		return nil, err
	}
	lines, ok, err := files.List("rcpthosts")
	if err != nil || !ok {
		return &Hosts{}, err
	}
	h := &Hosts{given: true, list: control.Set(lines)}
	f, err := os.Open(filepath.Join(folder, "morercpthosts.cdb"))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	h.more, h.file = cdb.NewReader(f), f
	return h, nil
}

// Given reports whether there is a file rcpthosts at all.
func (h *Hosts) Given() bool { return h.given }

// Allowed reports whether mail for an address is taken. Without a file rcpthosts
// it is not, for none; with one, an address without a host is always taken. An
// error is that of a damaged cdb.
func (h *Hosts) Allowed(addr string) (bool, error) {
	if !h.given {
		return false, nil
	}
	_, host, ok := address.Split(addr)
	if !ok {
		return true, nil
	}
	for suffix := range suffixes(host) {
		if h.list.Has(suffix) {
			return true, nil
		}
	}
	if h.more == nil {
		return false, nil
	}
	for suffix := range suffixes(lower(host)) {
		if _, ok, err := h.more.Get([]byte(suffix)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// suffixes yields a host, if it is not empty, and what is left of it from each
// dot on.
func suffixes(host string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range len(host) {
			if (i == 0 || host[i] == '.') && !yield(host[i:]) {
				return
			}
		}
	}
}

// lower lowers ASCII letters alone: a host is bytes.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Close closes the cdb.
func (h *Hosts) Close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
