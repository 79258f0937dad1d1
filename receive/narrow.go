package receive

import (
	"os"

	"goqmail/internal/confine"
	"goqmail/internal/qq"
)

// Narrow has a process that serves one connection give up what it does not need: it
// writes no file, and starts no program unless programs says so. Only if a qmail-queue stays, since the set-uid
// one cannot be started then; a server that stays itself is to take mail also while
// there is none.
func Narrow(home, program string, env Env, programs bool) {
	if _, set := env.Lookup("QMAILQUEUE"); set || !(qq.Queue{Home: home}).Stays() {
		return
	}
	profile := confine.Receive()
	if profile.Start = programs; programs {
		profile.Write = []string{os.DevNull} // what is not wanted of them
	}
	profile.Enter(home, program, os.Stderr)
}
