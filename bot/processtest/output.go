package processtest

import (
	"bytes"
	"strings"
	"sync"
)

// Output is what a process has printed so far. The zero value is nothing yet.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when more is printed; nil while nobody waits
}

// Write takes what the process prints.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

// read returns the text so far and a channel that is closed when there is more.
func (o *Output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

func (o *Output) String() string {
	text, _ := o.read()
	return text
}

// Secrets are the values in an environment that may stand nowhere else.
func Secrets(env []string) []string {
	var values []string
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN":
			if value != "" {
				values = append(values, value)
			}
		}
	}
	return values
}
