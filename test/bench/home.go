package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"goqmail/internal/privatehome"
)

// nobody runs the system if root runs this.
const nobody = 65534

// home is a private home and who runs the system in it.
type home struct {
	privatehome.Home
}

func newHome(dir, bin string) (*home, error) {
	h := &home{privatehome.Home{Dir: dir, Bin: bin, User: "joe", UID: os.Getuid(), GID: os.Getgid()}}
	if h.UID == 0 {
		h.UID, h.GID = nobody, nobody
	}
	if err := h.Make(); err != nil {
		return nil, err
	}
	return h, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, h.UID, h.GID))
	})
}

func (h *home) command(program string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(program) {
		program = filepath.Join(h.Bin, program)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(h.Dir, h.User)
	cmd.Env = append(os.Environ(), "QMAILHOME="+h.Dir, "USER="+h.User)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(h.UID), Gid: uint32(h.GID)}
	}
	return cmd
}
