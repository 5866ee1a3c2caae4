// Package shim hands out the random provider's constructor, which upstream keeps internal: a module whose
// path lies below upstream's may import it.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	upstream "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// New returns the random provider.
func New() provider.Provider {
	return upstream.New()
}
