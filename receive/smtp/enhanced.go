package smtp

import "strings"

// enhance puts an enhanced status code (RFC 2034, RFC 3463) into a reply: the one
// that it has in parentheses at its end, or that of its class.
func enhance(reply string) string {
	class := reply[0]
	if class == '3' || len(reply) < 4 { // RFC 2034 section 4
		return reply
	}
	status := string(class) + ".0.0"
	if i := strings.LastIndex(reply, "(#"); i >= 0 && strings.HasSuffix(reply, ")") && isStatus(reply[i+2:len(reply)-1], class) {
		status = reply[i+2 : len(reply)-1]
	}
	return reply[:4] + status + " " + reply[4:]
}

// isStatus reports whether s is an enhanced status code of a class.
func isStatus(s string, class byte) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != string(class) {
		return false
	}
	for _, part := range parts {
		if part == "" || len(part) > 3 || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}
