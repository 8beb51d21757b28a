package awstest

// orgRates are how many calls of an action each account may make a second, and in a burst.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html#throttling-limits
var orgRates = map[string]struct{ perSecond, burst float64 }{
	"CloseAccount":    {0.05, 1},
	"DescribeAccount": {20, 30},

	"DescribeOrganization":             {1, 2},
	"MoveAccount":                      {2, 3},
	"DescribeOrganizationalUnit":       {2, 2},
	"ListAccounts":                     {8, 12},
	"ListChildren":                     {6, 10},
	"ListParents":                      {5, 8},
	"ListAccountsForParent":            {5, 8},
	"ListOrganizationalUnitsForParent": {5, 8},
	"ListRoots":                        {1, 2},
	"ListTagsForResource":              {10, 15},
	"TagResource":                      {4, 6},
	"UntagResource":                    {4, 6},

	"DescribePolicy":                  {2, 2},
	"ListPoliciesForTarget":           {5, 8},
	"ListDelegatedServicesForAccount": {1, 3},
	"ListDelegatedAdministrators":     {5, 8},
}

// SetRates holds every account to the rates that AWS documents for each action, by the Cloud's clock: CloseAccount once in 20
// seconds, ListAccounts 8 times a second. At first there are none but those of [Cloud.Throttle].
func (o *Organization) SetRates(on bool) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.rates = on
	clear(o.throttles)
}

// over takes one call out of what the account may make.
func (o *Organization) over(account, action string) bool {
	if !o.rates {
		return false
	}
	key := account + " " + action
	if o.throttles[key] == nil {
		rate := orgRates[action]
		o.throttles[key] = &throttle{perSecond: rate.perSecond, burst: rate.burst, tokens: rate.burst, at: o.cloud.now()}
	}
	return !o.throttles[key].take(o.cloud.now())
}
