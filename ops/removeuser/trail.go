package removeuser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

const (
	// trailDays is how far back CloudTrail's event history goes.
	trailDays = 90
	// trailPages bounds the look at a very busy user: 50 events a page.
	trailPages = 40
	// sessionLife is how long a role session can last at most.
	sessionLife = 12 * time.Hour
)

// Role is a role that the user assumed, as CloudTrail has it.
type Role struct {
	ARN     string    `json:"arn"`
	Account string    `json:"account"` // its name and ID, or its ID
	Last    time.Time `json:"last"`
	Times   int       `json:"times"`
}

// name is the role's name for people: "Admin in account payments-prod (…)".
func (r Role) name() string {
	name := r.ARN
	if a, err := arn.Parse(r.ARN); err == nil {
		name = strings.TrimPrefix(a.Resource, "role/")
	}
	return name + " in account " + r.Account
}

// readTrail finds the roles that the user assumed in the last 90 days, the last
// used first, and says what it couldn't find out; unread tells that some may be
// missing. CloudTrail shows use, not right. Its limit is two calls a second in each
// Region.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (o *operation) readTrail(ctx context.Context, r ops.Request, user string, now time.Time, progress ops.Progress) (found []Role, unknown []string, unread bool) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	roles := map[string]Role{}
	pages := 0
	for _, region := range o.settings.Regions {
		wait.Go(func() {
			err := o.readRegion(ctx, r, region, user, now, func(found map[string]Role) {
				mu.Lock()
				defer mu.Unlock()
				pages++
				progress("CloudTrail: %d pages read", pages)
				for id, role := range found {
					old := roles[id]
					role.Times += old.Times
					if old.Last.After(role.Last) {
						role.Last = old.Last
					}
					roles[id] = role
				}
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				unknown = append(unknown, "Which roles were assumed, by CloudTrail in "+region+": "+ops.Words(awsaccess.Explain(err, o.settings.LookRole), r.ID))
			}
		})
	}
	wait.Wait()
	list := make([]Role, 0, len(roles))
	for _, role := range roles {
		list = append(list, role)
	}
	slices.SortFunc(list, func(a, b Role) int { return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.ARN, b.ARN)) })
	slices.Sort(unknown)
	return list, append(unknown, o.nameAccounts(ctx, r, list)...), len(unknown) > 0
}

func (o *operation) readRegion(ctx context.Context, r ops.Request, region, user string, now time.Time, found func(map[string]Role)) error {
	session, err := o.looking(r, user, region)
	if err != nil {
		return err
	}
	client := cloudtrail.NewFromConfig(session, func(c *cloudtrail.Options) {
		c.APIOptions = append(c.APIOptions, o.trail[region].Option)
		c.Retryer = retry.AddWithMaxAttempts(c.Retryer, 6)
	})
	pages := cloudtrail.NewLookupEventsPaginator(client, &cloudtrail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: aws.String(user)}},
		StartTime:        aws.Time(now.AddDate(0, 0, -trailDays)),
		EndTime:          aws.Time(now),
		MaxResults:       aws.Int32(50),
	})
	for n := 0; pages.HasMorePages(); n++ {
		if n == trailPages {
			return &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("there are more than %d events; only the newest were read.", n*50)}
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("look up events of %s: %w", user, err)
		}
		roles := map[string]Role{}
		for _, e := range page.Events {
			assumed := assumedRole(aws.ToString(e.CloudTrailEvent))
			if aws.ToString(e.EventName) != "AssumeRole" || assumed == "" {
				continue
			}
			role := roles[assumed]
			role.ARN = assumed
			role.Times++
			if at := aws.ToTime(e.EventTime).UTC(); at.After(role.Last) {
				role.Last = at
			}
			if a, err := arn.Parse(assumed); err == nil {
				role.Account = a.AccountID
			}
			roles[assumed] = role
		}
		found(roles)
	}
	return nil
}

// assumedRole is the ARN of the role that an event's record says was assumed;
// empty if it was refused.
func assumedRole(record string) string {
	var event struct {
		ErrorCode         string `json:"errorCode"`
		RequestParameters struct {
			RoleARN string `json:"roleArn"`
		} `json:"requestParameters"`
	}
	if json.Unmarshal([]byte(record), &event) != nil || event.ErrorCode != "" {
		return ""
	}
	return event.RequestParameters.RoleARN
}

// nameAccounts puts the accounts' names in, where Organizations tells them to
// the users' account.
func (o *operation) nameAccounts(ctx context.Context, r ops.Request, roles []Role) []string {
	names := map[string]string{}
	failed := false
	for i, role := range roles {
		id := role.Account
		if _, ok := names[id]; !ok && id != "" {
			names[id] = o.nameAccount(ctx, r, id)
			failed = failed || names[id] == id
		}
		roles[i].Account = names[id]
	}
	if failed {
		return []string{"The names of some accounts: Organizations doesn't tell them to the role " + o.settings.LookRole + "."}
	}
	return nil
}

// nameAccount is an account's name and ID, or its ID alone where Organizations
// doesn't tell the name.
func (o *operation) nameAccount(ctx context.Context, r ops.Request, id string) string {
	session, err := o.looking(r, userOf(r), globalRegion)
	if err != nil {
		return id
	}
	out, err := organizations.NewFromConfig(session).DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(id)})
	if err != nil || out.Account == nil {
		return id
	}
	return aws.ToString(out.Account.Name) + " (" + id + ")"
}
