package deleteaccount

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	listFresh = 5 * time.Minute         // how old the list of accounts may be before it is read anew
	listFor   = 2 * time.Minute         // how long reading it may take: 20 accounts a call, a few calls a second
	listWait  = 1500 * time.Millisecond // of the 3 s that Slack waits for an answer
)

// accounts is the list of the organisation's accounts, for people to search in.
// Nothing is decided by it: a plan reads its account anew.
type accounts struct {
	mu   sync.Mutex
	list []entry
	at   time.Time     // when the list was complete; zero: never
	load chan struct{} // closed when the reading that is under way ends; nil: none is
	err  error
}

type entry struct{ id, name, email, state string }

// name is the name of an account, if the list has it.
func (a *accounts) name(id string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.list, func(e entry) bool { return e.id == id })
	if i < 0 {
		return "", false
	}
	return a.list[i].name, true
}

// refresh has the list read, unless it is fresh, and returns when that has ended
// or the time to wait is over.
func (o *operation) refresh(ctx context.Context, r ops.Request, wait time.Duration) error {
	a := &o.found
	a.mu.Lock()
	if !a.at.IsZero() && time.Since(a.at) < listFresh {
		a.mu.Unlock()
		return nil
	}
	if a.load == nil {
		a.load = make(chan struct{})
		go o.read(context.WithoutCancel(ctx), r, a.load)
	}
	load, stale := a.load, !a.at.IsZero()
	a.mu.Unlock()
	if stale {
		return nil // the old list serves meanwhile
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-load:
	case <-timer.C:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// read reads the list.
func (o *operation) read(ctx context.Context, r ops.Request, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, listFor)
	defer cancel()
	list, err := o.list(ctx, r)
	o.found.mu.Lock()
	defer o.found.mu.Unlock()
	if o.found.err = err; err == nil {
		o.found.list, o.found.at = list, time.Now()
	}
	o.found.load = nil
	close(done)
}

func (o *operation) list(ctx context.Context, r ops.Request) ([]entry, error) {
	// Nobody is the target of a search.
	session, err := o.looking(r, "000000000000")
	if err != nil {
		return nil, err
	}
	var list []entry
	pages := organizations.NewListAccountsPaginator(organizations.NewFromConfig(session, patient), &organizations.ListAccountsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, o.explainLook(fmt.Errorf("list the accounts: %w", err))
		}
		for _, a := range page.Accounts {
			list = append(list, entry{aws.ToString(a.Id), aws.ToString(a.Name), aws.ToString(a.Email), state(a)})
		}
	}
	return list, nil
}

// members is how many accounts the organisation has.
func (o *operation) members(ctx context.Context, r ops.Request) (int, error) {
	if err := o.refresh(ctx, r, listFor); err != nil {
		return 0, err
	}
	o.found.mu.Lock()
	defer o.found.mu.Unlock()
	return len(o.found.list), nil
}

// search finds accounts by a part of their name, ID or address, those first that
// begin so. Each is shown with its ID, which alone tells it from its likes.
func (o *operation) search(ctx context.Context, r ops.Request, words string) ([]ops.Option, error) {
	r.ID = "search-" + r.By
	if err := o.refresh(ctx, r, listWait); err != nil {
		return nil, err
	}
	o.found.mu.Lock()
	list, complete := o.found.list, !o.found.at.IsZero()
	o.found.mu.Unlock()
	if !complete {
		return []ops.Option{{Text: "Still reading the accounts: type again in a moment"}}, nil
	}
	words = strings.ToLower(strings.TrimSpace(words))
	type hit struct {
		entry
		rank int
	}
	var hits []hit
	for _, e := range list {
		best := -1
		for i, text := range []string{e.id, strings.ToLower(e.name), strings.ToLower(e.email)} {
			switch {
			case text == words:
				best = max(best, 10-i)
			case strings.HasPrefix(text, words):
				best = max(best, 6-i)
			case strings.Contains(text, words):
				best = max(best, 2-i)
			}
		}
		if best >= 0 {
			hits = append(hits, hit{e, best})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), strings.Compare(a.id, b.id))
	})
	var options []ops.Option
	for _, h := range hits {
		note := h.email
		if h.state != active {
			note = h.state + ", " + note
		}
		options = append(options, ops.Option{Value: h.id, Text: h.id + " " + h.name, Note: note})
	}
	return options, nil
}
