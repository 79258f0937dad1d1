package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Step is one thing done to a real queue; exactly one field is set.
type Step struct {
	Queue  *QueueStep `json:"queue"`  // hand qmail-queue a message
	Run    *RunStep   `json:"run"`    // run qmail-send
	Age    int        `json:"age"`    // seconds that every message has been in the queue
	Sh     Bytes      `json:"sh"`     // shell line, as for prog sh; what it prints is recorded
	Signal string     `json:"signal"` // ALRM, HUP or TERM for the qmail-send that is running
}

// QueueStep hands one message to the real qmail-queue.
type QueueStep struct {
	Envelope Bytes `json:"envelope"`
	Message  Bytes `json:"message"`
}

// runSteps does the steps of the case on an empty queue.
func (w *world) runSteps(got *Want) error {
	if err := makeQueue(filepath.Join(w.home, "queue")); err != nil {
		return err
	}
	w.nameMessages()
	for _, step := range w.c.Steps {
		if err := w.step(step, got, nil); err != nil {
			return err
		}
	}
	slices.Sort(got.Log)
	slices.Sort(got.Deliveries)
	got.Home = w.queueLeft()
	return nil
}

// step does one step; send is the qmail-send that is running, if one is.
func (w *world) step(step Step, got *Want, send *os.Process) error {
	switch {
	case step.Queue != nil:
		return w.queueMessage(step.Queue)
	case step.Run != nil:
		return w.runSend(step.Run, got)
	case step.Sh != "":
		return w.shellLine(step.Sh, got)
	case step.Signal != "":
		return signalSend(send, step.Signal)
	case step.Age != 0:
		return w.ageMessages(time.Duration(step.Age) * time.Second)
	}
	return errors.New("an empty step")
}

func (w *world) queueMessage(q *QueueStep) error {
	message, err := w.tempFile("message", string(q.Message))
	if err != nil {
		return err
	}
	defer message.Close()
	envelope, err := w.tempFile("envelope", string(q.Envelope))
	if err != nil {
		return err
	}
	defer envelope.Close()
	cmd := exec.Command(filepath.Join(w.runner.Bin, "qmail-queue"))
	cmd.Env = w.environment()
	cmd.Stdin, cmd.Stdout = message, envelope
	if err := w.wait(cmd); err != nil {
		return err
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("qmail-queue: %v", cmd.ProcessState)
	}
	w.nameMessages()
	return nil
}

func (w *world) shellLine(line Bytes, got *Want) error {
	cmd := exec.Command("/bin/sh", "-c", w.fill(line))
	cmd.Dir, cmd.Env = w.dir, w.environment()
	cmd.WaitDelay = w.runner.Timeout // for what it left in the background
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := w.wait(cmd); err != nil {
		return err
	}
	got.Stdout += w.messages.normal(w.normal(Bytes(printed.String())))
	w.nameMessages()
	return nil
}

func signalSend(send *os.Process, name string) error {
	signals := map[string]os.Signal{"ALRM": syscall.SIGALRM, "HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}
	if send == nil || signals[name] == nil {
		return fmt.Errorf("cannot send the signal %s", name)
	}
	return send.Signal(signals[name])
}

// ageMessages makes every message that old, by the time of its info file.
func (w *world) ageMessages(age time.Duration) error {
	files, err := filepath.Glob(filepath.Join(w.home, "queue/info/*/*"))
	if err != nil {
		return err
	}
	then := time.Now().Add(-age)
	for _, f := range files {
		if err := os.Chtimes(f, then, then); err != nil {
			return err
		}
	}
	return nil
}
