package durable

// Together carries out steps all at the same time, so that their syncs share a
// commit of the file system's journal, and returns the first of their errors.
func Together(steps ...func() error) error {
	if len(steps) == 0 {
		return nil
	}
	errs := make(chan error, len(steps))
	for _, step := range steps[1:] {
		go func() { errs <- step() }()
	}
	first := steps[0]()
	for range steps[1:] {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
