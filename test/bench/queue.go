package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// fullQueue measures qmail-send on queues of several sizes, with spawners that say
// yes at once: the time until the first delivery, that for all, and memory.
func (h *home) fullQueue(sizes []int) error {
	fmt.Printf("\nqmail-send on a full queue, spawners that say yes at once\n\n")
	fmt.Printf("| messages | first delivery after s | messages a second | peak memory MB |\n| --- | --- | --- | --- |\n")
	for _, size := range sizes {
		us := owner{h.UID, h.GID}
		p := planter{folder: filepath.Join(h.Dir, "queue"), mess: us, send: us, due: time.Now()}
		if err := p.plant(size); err != nil {
			return err
		}
		d, err := drain(h.command("qmail-send"), h.command("qmail-clean"), size, time.Hour)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %.2f | %.0f | %.1f |\n", size, d.first.Seconds(), d.rate, d.memory)
	}
	return nil
}

// drained is what a run of qmail-send on a full queue was like.
type drained struct {
	first  time.Duration // until a spawner is asked for a delivery
	rate   float64       // messages a second, from then on
	memory float64       // most resident memory of qmail-send, MB
}

// drain runs qmail-send until so many messages have ended or the time is over.
func drain(send, clean *exec.Cmd, count int, limit time.Duration) (d drained, err error) {
	var pipes [7]struct{ r, w *os.File }
	for i := range pipes {
		if pipes[i].r, pipes[i].w, err = os.Pipe(); err != nil {
			return d, err
		}
	}
	clean.Stdin, clean.Stdout = pipes[5].r, pipes[6].w
	send.Stdin, send.Stdout, send.Stderr = pipes[0].w, pipes[1].w, pipes[2].r
	send.ExtraFiles = []*os.File{pipes[3].w, pipes[4].r, pipes[5].w, pipes[6].r}
	start := time.Now()
	if err := errors.Join(clean.Start(), send.Start()); err != nil {
		return d, err
	}
	for _, f := range []*os.File{pipes[0].w, pipes[1].w, pipes[2].r, pipes[3].w, pipes[4].r, pipes[5].r, pipes[5].w, pipes[6].r, pipes[6].w} {
		f.Close()
	}
	first := make(chan time.Duration, 2)
	go sayYes(pipes[1].r, pipes[2].w, start, first)
	go sayYes(pipes[3].r, pipes[4].w, start, first)
	log := bufio.NewReader(pipes[0].r)
	over := time.AfterFunc(limit, func() { send.Process.Signal(syscall.SIGTERM) })
	defer over.Stop()
	ended := 0
	for ended < count && time.Since(start) < limit {
		line, err := log.ReadString('\n')
		if err != nil && time.Since(start) < limit {
			return d, fmt.Errorf("qmail-send has ended after %d messages", ended)
		}
		if strings.HasPrefix(line, "end msg ") {
			ended++
		}
	}
	all := time.Since(start)
	if ended == 0 {
		return d, fmt.Errorf("no message has ended after %v", limit)
	}
	d.first = <-first
	d.rate = float64(ended) / (all - d.first).Seconds()
	d.memory = peakMemory(send)
	send.Process.Signal(syscall.SIGTERM)
	go io.Copy(io.Discard, log)
	err = send.Wait()
	clean.Wait()
	return d, err
}

// sayYes plays a spawner; first gets the time until it is asked for a delivery.
func sayYes(in, out *os.File, start time.Time, first chan<- time.Duration) {
	defer out.Close()
	out.Write([]byte{120})
	asked := false
	for commands := bufio.NewReader(in); ; {
		place, err := commands.ReadByte()
		if err != nil {
			return
		}
		if !asked {
			asked = true
			first <- time.Since(start)
		}
		for range 3 {
			if _, err := commands.ReadString(0); err != nil {
				return
			}
		}
		out.Write([]byte{place, 'K', 0})
	}
}

// peakMemory is in MB.
func peakMemory(cmd *exec.Cmd) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(fields[1], 64)
			return kb / 1024
		}
	}
	return 0
}
