// Package send is qmail-send(8): it takes in what qmail-queue has queued, hands
// each recipient to a spawner when its time has come, writes down what became of
// it, and ends the message with a bounce if need be.
//
// # Who does what
//
// One goroutine, [Server.Run], knows everything that changes: which message is
// tried when, which deliveries are under way. It never waits for a disk. The
// others tell it what they have done by functions that it runs (Server.post):
//
//	intake      reads todo and preprocesses many messages at a time (todo.go)
//	messages    the work on the files of one message, step by step; messages
//	            beside each other (message.go, job.go, finish.go)
//	spawners    one to write and one to read each pipe (spawner.go)
//	start       reads what is in the queue when qmail-send begins (start.go)
//	cleanup     looks for what crashes left behind (cleanup.go)
//	commands    what qmail-queuectl asks for (command.go, orders.go, reroute.go)
//
// A message waits in the heap of its channel (schedule.go) until it is due. Then
// a job goes through its recipients on that channel once: the ones that are not
// done are delivered, as places are free, taking turns with other jobs, so that
// one message with many recipients does not keep others waiting. A job without
// failures left ends the channel's file, another one goes back to the heap.
//
// # Log lines
//
// Other programs read the log: its lines are described in qmail-log(5) and stand
// in log.go, all of them but for warnings and alerts.
package send

import (
	"time"

	"goqmail/queue"
)

// channel is a way out: to a mailbox here, or to another host.
type channel int

const (
	local channel = iota
	remote
	channels = 2
)

// kind is the folder of the queue that has the channel's recipients.
func (c channel) kind() queue.Kind {
	if c == local {
		return queue.Local
	}
	return queue.Remote
}

func (c channel) String() string { return string(c.kind()) }

// Times, as in qmail.
const (
	troublePause = 123 * time.Second   // until something that failed for the system's sake is tried again
	cleanupEvery = 76431 * time.Second // between two looks for what crashes left
	todoEvery    = 1500 * time.Second  // between two readings of todo that nobody asked for
	todoPoll     = 5 * time.Second     // between two looks whether todo has changed: a trigger may get lost
	folderPause  = 10 * time.Second    // until a folder that cannot be read is tried again
	bouncePause  = 10 * time.Second    // until a bounce that cannot be written down is tried again
)
