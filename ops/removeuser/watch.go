package removeuser

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	// seldomest is how often an open pull request is looked at, at the least.
	seldomest = 15 * time.Minute
	// share is how the time to the next look grows: it is a fifth of the time in which
	// nothing has changed. Many pull requests stay open for weeks, and each look is one
	// of the calls that GitHub allows the bot an hour.
	share = 5
)

// watched is an open pull request as it was when it last changed, and since when it is
// so by the bot's own looks: GitHub's clock is another one.
type watched struct {
	As    string    `json:"as"`
	Since time.Time `json:"since"`
}

// pause is how long to wait before the next look.
func (s *Settings) pause(unchanged time.Duration) time.Duration {
	return max(s.Poll, min(unchanged/share, seldomest))
}

// lookAgain has the pull request looked at again: soon after it has changed, and the
// more seldom the longer it stays as it is. Nil: GitHub didn't show it.
func (o *operation) lookAgain(ctx context.Context, run ops.Run, pull *github.PullRequest) error {
	var w watched
	if _, err := run.Recall(ctx, "watched", &w); err != nil {
		return err
	}
	now := run.Now().UTC()
	as := w.As
	if pull != nil {
		as = fmt.Sprintf("#%d %s %s", pull.GetNumber(), pull.GetHead().GetSHA(), pull.GetUpdatedAt().UTC().Format(time.RFC3339))
	}
	if w.Since.IsZero() || as != w.As {
		w = watched{As: as, Since: now}
		if err := run.Remember(ctx, "watched", w); err != nil {
			return err
		}
	}
	return ops.Again(o.settings.pause(now.Sub(w.Since)))
}
