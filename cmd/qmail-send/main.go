// Qmail-send delivers the messages in the queue. It is started by qmail-start, with
// its log on descriptor 0, qmail-lspawn on 1 and 2, qmail-rspawn on 3 and 4, and
// qmail-clean on 5 and 6; while 7 is open, qmail-queue stays. See qmail-send(8).
package main

import (
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/fence"
	"goqmail/internal/home"
	"goqmail/internal/qq"
	"goqmail/send"
)

func main() { exitcode.Main(run) }

func run() int {
	signals, term := make(chan os.Signal, 8), make(chan os.Signal, 1)
	// SIGPIPE is caught, not ignored, so that qmail-queue has it at its default.
	signal.Notify(signals, syscall.SIGALRM, syscall.SIGHUP, syscall.SIGPIPE)
	signal.Notify(term, syscall.SIGTERM)
	started := make(chan *send.Server, 1)
	go func() {
		<-term
		select {
		case server := <-started:
			server.Stop()
		default: // nothing has begun, and it may be for long that it waits
			os.Exit(exitcode.OK)
		}
	}()
	syscall.Umask(0o077)
	syscall.CloseOnExec(queueOpen)
	own := os.Getenv(fence.Variable)
	os.Unsetenv(fence.Variable) // it is not for qmail-queue
	dir, queue := home.Dir(), qq.System(home.Dir())
	log := descriptor(0)
	// Standard error is the end of a pipe here: a crash is to be told in the log.
	debug.SetCrashOutput(log, debug.CrashOptions{})
	server, err := send.Start(send.Options{
		Home:   dir,
		Log:    log,
		Local:  send.Spawner{To: descriptor(1), From: descriptor(2)},
		Remote: send.Spawner{To: descriptor(3), From: descriptor(4)},
		Clean:  send.Clean{To: descriptor(5), From: descriptor(6)},
		Submit: func() (send.Submission, error) { return queue.Open() },
		Now:    time.Now,
		Fence:  own,
	})
	if err != nil {
		io.WriteString(log, "alert: cannot start: "+err.Error()+"\n")
		return exitcode.Soft
	}
	started <- server
	go obey(server, signals)
	go narrow(server, queue, dir, log)
	server.Run()
	return exitcode.OK
}

// descriptor is an open file that qmail-start has left for us. Programs that we
// start must not get it: a pipe ends when all who have its end are gone.
func descriptor(fd int) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "descriptor "+strconv.Itoa(fd))
}

func obey(server *send.Server, signals <-chan os.Signal) {
	for s := range signals {
		switch s {
		case syscall.SIGALRM:
			server.RunNow()
		case syscall.SIGHUP:
			server.Reload()
		}
	}
}
