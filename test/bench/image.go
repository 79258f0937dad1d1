package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// makeVolume makes a place for a queue of so many messages that outlives a host: a
// file with a file system of its own, which is quick to remove, and cold whenever it
// is mounted. Where there is none to be had it is a folder.
func makeVolume(scratch string, messages int) (volume string, err error) {
	f, err := os.CreateTemp(scratch, "queue.img")
	if err != nil {
		return "", err
	}
	if err := makeImage(f, messages); err != nil {
		fmt.Fprintln(os.Stderr, "bench: a folder holds the full queue, and no start is cold:", err)
		os.Remove(f.Name())
		return os.MkdirTemp(scratch, "queue")
	}
	return f.Name(), nil
}

// What a message takes in the image: three inodes, each with a block and a name.
const (
	imageInodes = 3
	imageBytes  = 3*4096 + 3*256 + 512
)

func makeImage(f *os.File, messages int) error {
	image := f.Name()
	size := int64(messages)*imageBytes*11/10 + 1<<30
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	inodes := strconv.Itoa(messages*imageInodes*11/10 + 100000)
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		mkfs = "/usr/sbin/mkfs.ext4"
	}
	if err := tool(mkfs, "-q", "-F", "-N", inodes, "-J", "size=256", "-E", "lazy_itable_init=1,nodiscard", image); err != nil {
		return err
	}
	loop, err := attach(image) // to see whether it can be
	if err != nil {
		return err
	}
	return tool("/sbin/losetup", "-d", loop)
}

// attach makes a file a block device, past the cache if possible.
func attach(image string) (loop string, err error) {
	for _, direct := range []string{"on", "off"} {
		var out []byte
		out, err = exec.Command("/sbin/losetup", "--direct-io="+direct, "-f", "--show", image).Output()
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
	}
	return "", fmt.Errorf("losetup: %w", err)
}

// tool runs a program of the host's.
func tool(program string, args ...string) error {
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// mountVolume lets a host have it, until the host ends.
func mountVolume(volume, at string) error {
	st, err := os.Stat(volume)
	if err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if st.IsDir() {
		return bind(volume, at)
	}
	loop, err := attach(volume)
	if err != nil {
		return err
	}
	// The device goes once nothing is mounted from it.
	defer tool("/sbin/losetup", "-d", loop)
	if err := mount(loop, at, "ext4", syscall.MS_RELATIME, "noinit_itable"); err != nil {
		return err
	}
	os.Remove(filepath.Join(at, "lost+found"))
	return nil
}
