package main

import (
	"context"
	"crypto/tls"
	"os"
	"strings"
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
	settings := &cachedSettings{files: watch{folder: "control", now: time.Now}}
	self, err := serve.Self()
	if err != nil {
		return exitcode.Soft
	}
	server := serve.Server{Self: self, Most: atOnce, Do: func(args []string, files []*os.File) serve.Answer {
		if len(args) < 3 || len(files) != 1 {
			return serve.Answer{Code: serve.Once}
		}
		now, err := settings.read()
		if err != nil {
			return failure(err)
		}
		var reports strings.Builder
		mail := &remote.Mail{Host: args[0], Sender: args[1], Recipients: args[2:], Message: files[0]}
		_ = client.Send(context.Background(), now, mail, &reports)
		return serve.Answer{Code: exitcode.OK, Text: reports.String()}
	}, Many: func(count int, args []string, files []*os.File, answer func(int, serve.Answer)) {
		many(client, settings, count, args, files, answer)
	}}
	if server.Serve(conn) != nil {
		return exitcode.Soft
	}
	return exitcode.OK
}

// failure is what is answered if the settings cannot be read.
func failure(err error) serve.Answer {
	var reports strings.Builder
	_ = remote.Fail(&reports, err)
	return serve.Answer{Code: exitcode.OK, Text: reports.String()}
}

// many sends one message to many recipients: each has three arguments.
func many(client *remote.Client, settings *cachedSettings, count int, args []string, files []*os.File, answer func(int, serve.Answer)) {
	all := func(a serve.Answer) {
		for i := range count {
			answer(i, a)
		}
	}
	if len(args) != 3*count || len(files) != 1 {
		all(serve.Answer{Code: serve.Once})
		return
	}
	st, err := files[0].Stat()
	if err != nil {
		all(serve.Answer{Code: serve.Once})
		return
	}
	now, err := settings.read()
	if err != nil {
		all(failure(err))
		return
	}
	errands := make([]remote.Errand, count)
	for i := range errands {
		errands[i] = remote.Errand{Host: args[3*i], Sender: args[3*i+1], Recipient: args[3*i+2]}
	}
	client.SendAll(context.Background(), now, files[0], st.Size(), errands, func(i int, reports string) {
		answer(i, serve.Answer{Code: exitcode.OK, Text: reports})
	})
}
