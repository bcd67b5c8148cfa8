/* SPDX-License-Identifier: ISC */
#include "fs/private.h"

/* Fields of inode->habit, in four bits each. */
struct habit {
	unsigned int writes;	/* since the last sync */
	unsigned int usual;	/* before the last one */
	unsigned int agreed;	/* how often that number came in succession */
};

#define MOST 15u		/* writes that are counted; then there is no habit */
#define SURE 3u			/* times until it is believed */

static struct habit load(const struct inode *inode)
{
	uint16_t bits = inode->habit;

	return (struct habit){ bits & 15, bits >> 4 & 15, bits >> 8 & 15 };
}

/* Two at once may lose one's count. */
static void store(struct inode *inode, struct habit h)
{
	inode->habit = h.writes | h.usual << 4 | h.agreed << 8;
}

bool habit_written(struct inode *inode)
{
	struct habit h = load(inode);

	h.writes += h.writes < MOST;
	store(inode, h);
	return h.agreed >= SURE && h.writes == h.usual;
}

void habit_synced(struct inode *inode)
{
	struct habit h = load(inode);

	if (h.writes != h.usual || h.writes == MOST)
		h.agreed = 0;
	h.usual = h.writes;
	h.writes = 0;
	h.agreed += h.agreed < MOST;
	store(inode, h);
}
