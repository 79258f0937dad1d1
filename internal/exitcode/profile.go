//go:build profile

package exitcode

import (
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
)

// staying are the programs that run for long without being told so by an option.
var staying = []string{"qmail-send", "qmail-clean", "qmail-lspawn", "qmail-rspawn"}

// profiled writes a processor profile of a program that stays into the folder that
// $GOQMAIL_PROFILE names, as PROGRAM.PID, until end is called. It is for measuring,
// and in no program that is built without the tag "profile". Programs that live for
// one message are left out: a hundred samples a second say nothing of them.
func profiled() (end func()) {
	folder, name := os.Getenv("GOQMAIL_PROFILE"), filepath.Base(os.Args[0])
	stays := slices.Contains(staying, name) || slices.Contains(os.Args, "-serve") || slices.Contains(os.Args, "-listen")
	if folder == "" || !stays {
		return func() {}
	}
	f, err := os.Create(filepath.Join(folder, name+"."+strconv.Itoa(os.Getpid())))
	if err != nil || pprof.StartCPUProfile(f) != nil {
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
