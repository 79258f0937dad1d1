package main

import (
	"context"
	"crypto/tls"
	"os"
	"strings"
	"sync"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/serve"
	"goqmail/remote"
)

// atOnce is how many messages are sent at a time.
const atOnce = 16 << 10

// How many connections wait for another message, how long, and how many messages
// each carries.
const (
	idleAtOnce   = 200
	idleTime     = 2 * time.Second
	messagesEach = 100
)

// sessions is how many TLS sessions are kept to be resumed.
const sessions = 1000

// stay sends messages until qmail-rspawn, on descriptor 0, has no more.
func stay(client *remote.Client) int {
	conn, err := serve.NewConn(0)
	if err != nil {
		return exitcode.Soft
	}
	client.Sessions = tls.NewLRUClientSessionCache(sessions)
	client.Idle = &remote.Idle{Most: idleAtOnce, Age: idleTime, Messages: messagesEach}
	defer client.Idle.Close()
	settings := &cachedSettings{}
	self, err := serve.Self()
	if err != nil {
		return exitcode.Soft
	}
	server := serve.Server{Self: self, Most: atOnce, Do: func(args []string, files []*os.File) serve.Answer {
		if len(args) < 3 || len(files) != 1 {
			return serve.Answer{Code: serve.Once}
		}
		var reports strings.Builder
		now, err := settings.read()
		if err != nil {
			_ = remote.Fail(&reports, err)
		} else {
			mail := &remote.Mail{Host: args[0], Sender: args[1], Recipients: args[2:], Message: files[0]}
			_ = client.Send(context.Background(), now, mail, &reports)
		}
		return serve.Answer{Code: exitcode.OK, Text: reports.String()}
	}}
	if server.Serve(conn) != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}

// cachedSettings are the control files, as they were a moment ago.
type cachedSettings struct {
	mu       sync.Mutex
	settings *remote.Settings
	since    time.Time
}

// settingsAge is how old they may be.
const settingsAge = time.Second

func (c *cachedSettings) read() (*remote.Settings, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settings != nil && time.Since(c.since) < settingsAge {
		return c.settings, nil
	}
	s, err := remote.ReadSettings("control")
	c.settings, c.since = s, time.Now()
	return s, err
}
