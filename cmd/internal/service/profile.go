package service

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"time"
)

// DefaultProfile is where profiles are served when no other address is asked for.
const DefaultProfile = "127.0.0.1:6060"

// ProfileFault says why profiles can't be served at an address; nil: they can. A profile
// shows how the bot works and makes it work, so it is for people on the same machine: the
// address is an IP address of the loopback and a port. A name isn't taken, because other
// machines may answer to it.
func ProfileFault(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("--pprof takes an address of this machine's loopback and a port, such as %s or [::1]:6060, not %q", DefaultProfile, address)
	}
	return nil
}

// Profile serves the profiles of net/http/pprof at an address, on a listener of their own,
// until stop is called. It has the allocations sampled from then on.
func Profile(address string, log *slog.Logger) (stop func(), err error) {
	if err := ProfileFault(address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for profiles (--pprof): %w", err)
	}
	runtime.MemProfileRate = 512 << 10 // Go's own
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and all profiles below it by their names
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go web.Serve(listener)
	log.Info("serving profiles", "address", "http://"+listener.Addr().String()+"/debug/pprof/")
	return func() { web.Close() }, nil
}
