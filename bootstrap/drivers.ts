/**
 * Modules of the kernel in the initramfs, each with all that it depends on; all other modules come by the swarm. By
 * kind, since the build tells what each kind costs. A NIC whose driver is missing here cannot boot.
 *
 * Not here, and why: NICs that do nothing without a firmware file, since Debian's main has none of those (bnx2, bnx2x,
 * qede, nfp, liquidio, bna); old and rare storage (parallel SCSI, most of PATA, Fibre Channel, FCoE, iSCSI adapters),
 * since nothing in the bootstrap reads a disk, and a running OS gets those from the kernel's other modules; PCMCIA.
 */
export const drivers = {
  'virtual machines': names(`
    virtio_net virtio_blk virtio_scsi virtio_rng vmxnet3 vmw_pvscsi hv_netvsc hv_storvsc xen-netfront xen-blkfront
    ena gve mana`),
  'NICs from 10 Gbit/s': names(`
    mlx5_core mlx4_en ice i40e iavf ixgbe ixgbevf bnxt_en cxgb4 cxgb4vf sfc be2net enic ionic atlantic amd-xgbe`),
  'NICs to 5 Gbit/s': names(`
    e1000e igb igbvf igc e1000 e100 r8169 8139too 8139cp tg3 atl1c atl1e atl1 atl2 alx sky2 skge forcedeth jme b44
    lan743x via-rhine via-velocity sis190 sis900 pcnet32 ne2k-pci 3c59x tulip natsemi`),
  'PHYs of NICs': names(`
    realtek broadcom marvell marvell10g aquantia micrel microchip smsc at803x dp83867 icplus ax88796b vitesse`),
  'USB controllers, NICs and keyboards': names(`
    xhci-pci xhci-pci-renesas ehci-pci ohci-pci uhci-hcd r8152 r8153_ecm ax88179_178a asix aqc111 cdc_ether cdc_ncm
    rndis_host lan78xx smsc75xx smsc95xx pegasus rtl8150 dm9601 mcs7830 sr9700 usbhid hid-generic`),
  storage: names(`
    ahci ata_piix ata_generic nvme vmd mpt3sas mpi3mr megaraid_sas hpsa aacraid smartpqi sd_mod sr_mod usb-storage uas`),
  'file systems of images': names('overlay loop squashfs'),
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What it takes to mount the others. */
export const mountModules = ['loop', 'squashfs'] as const;

function names(text: string): readonly string[] {
  return text.split(/\s+/).filter((name) => name !== '');
}
