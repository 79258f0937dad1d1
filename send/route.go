package send

import "goqmail/internal/routes"

// Routes says where recipients go.
type Routes = routes.Routes

// channelOf returns the channel of a recipient, and the address it has there.
func channelOf(r *Routes, recipient string) (channel, string) {
	here, addr := r.Route(recipient)
	if here {
		return local, addr
	}
	return remote, addr
}
