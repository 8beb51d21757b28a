package service_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func TestProfilesAreServedOnTheLoopbackAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address string
		served  bool
	}{
		{service.DefaultProfile, true},
		{"127.0.0.1:0", true},
		{"127.8.0.1:7070", true},
		{"[::1]:6060", true},
		{"0.0.0.0:6060", false},
		{"[::]:6060", false},
		{":6060", false},
		{"10.0.0.7:6060", false},
		{"203.0.113.7:6060", false},
		{"localhost:6060", false},
		{"127.0.0.1", false},
		{"127.0.0.1:http", false},
		{"127.0.0.1.example.com:6060", false},
		{"", false},
	} {
		if err := service.ProfileFault(test.address); (err == nil) != test.served {
			t.Errorf("%q: %v", test.address, err)
		}
		if test.served {
			continue
		}
		if stop, err := service.Profile(test.address, slog.New(slog.DiscardHandler)); err == nil {
			stop()
			t.Errorf("profiles are served at %q", test.address)
		}
	}
}

func TestProfilesAreServedUntilTheyAreStopped(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	stop, err := service.Profile("127.0.0.1:0", service.Log(&log, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Address string }
	if err := json.Unmarshal(log.Bytes(), &told); err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	for path, want := range map[string]string{"": "goroutine", "goroutine?debug=1": "goroutine profile:", "cmdline": "service.test", "heap?debug=1": "heap profile:"} {
		answer, err := http.Get(told.Address + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, %v: it has no %q", path, answer.StatusCode, err, want)
		}
	}
	stop()
	if answer, err := http.Get(told.Address); err == nil {
		answer.Body.Close()
		t.Error("profiles are served after the end")
	}
}
