package confine

import (
	"os"

	"golang.org/x/sys/unix"
)

// GainsRights reports whether a program has rights that its caller lacks, by set-uid,
// set-gid or capabilities of the file, or whether that cannot be told. Whoever is
// confined cannot start it as it is meant.
func GainsRights(file string) bool {
	st, err := os.Stat(file)
	if err != nil || st.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
		return true
	}
	_, err = unix.Getxattr(file, "security.capability", nil)
	return err != unix.ENODATA && err != unix.ENOTSUP
}
