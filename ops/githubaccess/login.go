package githubaccess

import (
	"context"
	"fmt"

	"github.com/google/go-github/v62/github"
)

// Login is the login under which a client of New or Sparing acts: a GitHub App's is its slug
// with "[bot]" behind it.
// https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app
func Login(ctx context.Context, client *github.Client) (string, error) {
	through := client.Client().Transport
	if spares, ok := through.(sparing); ok {
		through = spares.next
	}
	if transport, ok := through.(*retrying); ok {
		if app, ok := transport.next.(*App); ok {
			return app.login(ctx)
		}
	}
	user, _, err := client.Users.Get(ctx, "")
	if err != nil {
		return "", fmt.Errorf("ask who the bot is: %w", err)
	}
	return user.GetLogin(), nil
}

func (a *App) login(ctx context.Context) (string, error) {
	client, err := a.signed()
	if err != nil {
		return "", err
	}
	app, _, err := client.Apps.Get(ctx, "")
	if err != nil {
		return "", fmt.Errorf("ask who the bot is: %w", err)
	}
	return app.GetSlug() + "[bot]", nil
}
