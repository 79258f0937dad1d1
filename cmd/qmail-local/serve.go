package main

import (
	"errors"
	"os"
	"strings"
	"sync"

	"goqmail/internal/durable"
	"goqmail/internal/exitcode"
	"goqmail/internal/serve"
	"goqmail/local"
)

// atOnce is how many deliveries are made at a time.
const atOnce = 256

// stay makes deliveries for one user until qmail-lspawn, on descriptor 0, has no
// more.
func stay() int {
	conn, err := serve.NewConn(0)
	if err != nil {
		return exitcode.Soft
	}
	homes := homes{open: map[string]*durable.Dir{}}
	host := local.ThisHost()
	self, err := serve.Self()
	if err != nil {
		return exitcode.Soft
	}
	server := serve.Server{Self: self, Most: atOnce, Do: func(args []string, files []*os.File) serve.Answer {
		if len(args) != 8 || !strings.HasPrefix(args[1], "/") || len(files) != 1 {
			return serve.Answer{Code: serve.Once}
		}
		var out output
		d := delivery(args, files[0])
		d.Shared = true
		d.Host, d.Files = host, homes.at(d.Home)
		d.Out, d.Warn = &out, &out
		err := d.Deliver()
		if errors.Is(err, local.ErrShared) {
			return serve.Answer{Code: serve.Once}
		}
		code := report(err, &out)
		return serve.Answer{Code: code, Text: out.said.String()}
	}}
	if server.Serve(conn) != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}

// output takes what qmail-lspawn would read of the program's output, and a bit more.
type output struct{ said strings.Builder }

const maxOutput = 4 << 10

func (o *output) Write(p []byte) (int, error) {
	o.said.Write(p[:min(len(p), maxOutput-o.said.Len())])
	return len(p), nil
}

// homes are the folders in use, so that deliveries to one maildir share its syncs.
type homes struct {
	mu   sync.Mutex
	open map[string]*durable.Dir
}

// maxHomes bounds them: users of a mail store may all have the same uid.
const maxHomes = 1000

func (h *homes) at(path string) *durable.Dir {
	h.mu.Lock()
	defer h.mu.Unlock()
	dir := h.open[path]
	if dir == nil {
		if len(h.open) >= maxHomes {
			clear(h.open)
		}
		dir = durable.NewDir(path)
		h.open[path] = dir
	}
	return dir
}
